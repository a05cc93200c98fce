"""The coordinator room of Hushlink."""
