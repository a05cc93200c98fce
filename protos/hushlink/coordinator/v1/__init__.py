"""Generated from the protos beside it."""
