"""What dispatch counts for the operator."""

from __future__ import annotations

import prometheus_client

MATCHERS = prometheus_client.Gauge("hushlink_dispatch_matchers", "Matchers that are connected")
SLOTS = prometheus_client.Gauge("hushlink_dispatch_slots", "Slots of the matchers that are connected")
WAITING_RUNS = prometheus_client.Gauge("hushlink_dispatch_comparisons", "Comparisons of runs that are open")
ASSIGNED = prometheus_client.Counter("hushlink_dispatch_tiles_assigned", "Tiles given to a matcher", ["why"])
ENDED = prometheus_client.Counter("hushlink_dispatch_tiles_ended", "Assignments that ended", ["outcome"])
CHUNK_BYTES = prometheus_client.Counter("hushlink_dispatch_chunk_bytes", "Bytes of chunks sent to matchers")
PAIR_BYTES = prometheus_client.Counter("hushlink_dispatch_pair_bytes", "Bytes of pairs received from matchers")
VIOLATIONS = prometheus_client.Counter("hushlink_dispatch_violations", "Matchers dropped for breaking the protocol")
