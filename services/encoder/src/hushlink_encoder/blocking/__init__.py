"""Blocking: which records are worth comparing, decided inside the data owner's walls.

A blocking configuration (blocklib's format, see `configuration`) puts each record into blocks; only
records of one block are compared. Two methods: *p-sig* makes signatures of a record's cells,
*lambda-fold* samples bits of its filter. A pair that shares no block is lost: blocking is asked for
by name, and what it costs is measured before anything leaves::

    agreed = blocking.parse_json(path.read_bytes(), identifiers)
    blocker = blocking.blocker(agreed, secret)
    for batch in reader:
        blocker.add(batch.columns)
    blocks = blocker.finish()
    statistics = blocking.Statistics.of(blocks)

Modes. `keyed`, the default: a block's key is a pseudo-random function of what its records have in
common, under a key derived from the secret, so that nobody without the secret can test a guess.
`compat`: the unkeyed texts of blocklib 0.1.11, exactly; anybody can test guesses at names with them.
"""

from __future__ import annotations

from hushlink_encoder.blocking.blocks import Blocks
from hushlink_encoder.blocking.blocks_file import DamagedBlocks, read, write
from hushlink_encoder.blocking.configuration import (
    Configuration,
    InvalidBlocking,
    LambdaFold,
    Mode,
    PSig,
)
from hushlink_encoder.blocking.document import parse, parse_json
from hushlink_encoder.blocking.methods import Blocker, blocker, encodings_blocker
from hushlink_encoder.blocking.statistics import Statistics, comparisons_between

__all__ = [
    "Blocker",
    "Blocks",
    "Configuration",
    "DamagedBlocks",
    "InvalidBlocking",
    "LambdaFold",
    "Mode",
    "PSig",
    "Statistics",
    "blocker",
    "comparisons_between",
    "encodings_blocker",
    "parse",
    "parse_json",
    "read",
    "write",
]
