"""Identifiers of projects, uploads and runs: random, so that none can be guessed from another."""

from __future__ import annotations

import base64
import secrets


def draw(kind: str) -> str:
    """A new identifier: a letter for the kind (`p`, `u`, `r`) and 130 random bits in small letters and digits."""
    return kind + base64.b32encode(secrets.token_bytes(17)).decode().lower()[:26]
