"""The matcher room of Hushlink."""
