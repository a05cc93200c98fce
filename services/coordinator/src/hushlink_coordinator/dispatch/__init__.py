"""Dispatch: tiles go to matchers, wherever they are, and answers come back, whoever dies on the way."""

from hushlink_coordinator.dispatch.chunk_shelf import ChunkSource
from hushlink_coordinator.dispatch.comparison import PairSink
from hushlink_coordinator.dispatch.pool import MatcherPool
from hushlink_coordinator.dispatch.settings import Settings

__all__ = ["ChunkSource", "MatcherPool", "PairSink", "Settings"]
