"""The domain room of Hushlink."""
