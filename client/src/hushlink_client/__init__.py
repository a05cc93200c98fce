"""The hushlink command and the Python client."""
