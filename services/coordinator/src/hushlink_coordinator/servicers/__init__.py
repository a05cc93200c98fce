"""Wire in, call, wire out: one servicer for each service of the coordinator's protos."""
