"""Generated from the protos beside it: the public contract of every Hushlink service."""
