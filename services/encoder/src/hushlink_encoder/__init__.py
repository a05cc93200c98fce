"""The encoder room of Hushlink."""
