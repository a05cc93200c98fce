"""What a coordinator tells its operator in numbers, beside those of dispatch: one for each arrow of the data's way."""

from __future__ import annotations

import prometheus_client

UPLOADED_BYTES = prometheus_client.Counter("hushlink_coordinator_uploaded_bytes", "Bytes of encodings received")
SEALED_ROWS = prometheus_client.Counter("hushlink_coordinator_sealed_rows", "Rows of datasets that were sealed")
RUNS = prometheus_client.Counter("hushlink_coordinator_runs", "Runs that this process stopped working on", ["outcome"])
COMPARED_TILES = prometheus_client.Counter("hushlink_coordinator_compared_tiles", "Tiles whose answer was recorded")
SOLVED_PAIRS = prometheus_client.Counter("hushlink_coordinator_solved_pairs", "Candidate pairs fed to the solver")
PUBLISHED_GROUPS = prometheus_client.Counter("hushlink_coordinator_published_groups", "Groups that were published")
READ_PAGES = prometheus_client.Counter("hushlink_coordinator_read_pages", "Pages of groups that were sent")
