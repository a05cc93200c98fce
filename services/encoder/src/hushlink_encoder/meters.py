"""What an encoder counts."""

from __future__ import annotations

import prometheus_client

STREAMS = prometheus_client.Gauge("hushlink_encoder_streams", "Streams of records that are open")
RECORDS = prometheus_client.Counter("hushlink_encoder_records", "Records that were encoded")
PUBLISHED = prometheus_client.Counter("hushlink_encoder_published_records", "Records in datasets that were published")
