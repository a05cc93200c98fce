"""The mesh room of Hushlink."""
