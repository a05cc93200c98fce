"""Versions: what this release is, and which protocol numbers it speaks.

The protocol number goes up when an older peer could no longer understand a newer one; added fields do not count. A
process speaks every number from ``PROTOCOL_OLDEST`` to ``PROTOCOL``.
"""

from __future__ import annotations

import importlib.metadata

from hushlink_domain import errors

PROTOCOL = 1
PROTOCOL_OLDEST = 1

METADATA_KEY = "hushlink-protocol"
"""The metadata entry in which a client may name its protocol; without it the newest is assumed."""

VERSION = importlib.metadata.version("hushlink-mesh")


def check(spoken: int | str) -> None:
    """Check that this process speaks the peer's protocol.

    Raises:
        errors.CallerError: PROTOCOL_MISMATCH, when it does not, or when it is no number.
    """
    text = str(spoken)
    if text.isascii() and text.isdigit() and len(text) < 10 and PROTOCOL_OLDEST <= int(text) <= PROTOCOL:
        return
    raise errors.CallerError(
        errors.Reason.PROTOCOL_MISMATCH,
        f"this process speaks protocols {PROTOCOL_OLDEST} to {PROTOCOL}, the peer another one: upgrade the older side",
        protocol=text[:20],
        oldest=PROTOCOL_OLDEST,
        newest=PROTOCOL,
    )
