"""The development mesh: Postgres, an object store and every Hushlink service as processes of this machine."""
