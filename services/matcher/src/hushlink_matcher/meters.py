"""What a matcher counts for its operator."""

from __future__ import annotations

import prometheus_client

COORDINATORS = prometheus_client.Gauge("hushlink_matcher_coordinators", "Coordinators that hold a stream")
BUSY_SLOTS = prometheus_client.Gauge("hushlink_matcher_busy_slots", "Slots that compare a tile right now")
CHUNK_BYTES = prometheus_client.Gauge("hushlink_matcher_chunk_bytes", "Bytes of chunks held, over all coordinators")
CHUNK_BYTES_RECEIVED = prometheus_client.Counter(
    "hushlink_matcher_chunk_bytes_received", "Bytes of chunk frames received"
)
TILES = prometheus_client.Counter("hushlink_matcher_tiles", "Tiles that ended", ["outcome"])
COMPARISONS = prometheus_client.Counter("hushlink_matcher_comparisons", "Pairs of rows compared in tiles that are done")
PAIRS = prometheus_client.Counter("hushlink_matcher_pairs", "Candidate pairs sent in tiles that are done")
BUSY_SECONDS = prometheus_client.Counter(
    "hushlink_matcher_busy_seconds", "Time the kernel worked on tiles that are done"
)
