"""Groups as files that other programs read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import BinaryIO

from hushlink_client import results

CSV_HEADER = b"group,dataset,row\n"


async def write_csv(stream: BinaryIO, pages: AsyncIterator[results.Page]) -> None:
    """One line per member, with its group, dataset and row, each from 0."""
    stream.write(CSV_HEADER)
    async for page in pages:
        stream.write(b"".join(b"%d,%d,%d\n" % member for member in page.members()))


async def write_json_lines(stream: BinaryIO, pages: AsyncIterator[results.Page]) -> None:
    """One line per group: ``{"group": 0, "members": [[dataset, row], ...]}``."""
    async for page in pages:
        groups: dict[int, list[tuple[int, int]]] = {}
        for group, dataset, row in page.members():
            groups.setdefault(group, []).append((dataset, row))
        for group, members in groups.items():
            stream.write(json.dumps({"group": group, "members": members}).encode() + b"\n")
