"""How any process joins the mesh: configuration, server, channel, rights, errors, framing, lifecycle, telemetry."""
