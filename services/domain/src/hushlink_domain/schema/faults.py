"""What is wrong with a linkage schema: every fault with its place and a way out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from hushlink_domain import errors

SHOWN_FAULTS: Final = 50
"""Faults written out in the message; all are in `InvalidSchema.faults`."""


@dataclasses.dataclass(frozen=True, slots=True)
class SchemaFault:
    """One thing that is wrong.

    `path` is the JSON path from the root `$`, as in `$.features[2].hashing.strategy`.
    """

    path: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.remedy}"


class InvalidSchema(errors.CallerError):
    """A linkage schema cannot be used; `faults` lists every reason."""

    def __init__(self, faults: Sequence[SchemaFault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        lines = [f"the linkage schema has {count} fault{'s' if count != 1 else ''}:"]
        lines += [f"  {fault}" for fault in self.faults[:SHOWN_FAULTS]]
        if count > SHOWN_FAULTS:
            lines.append(f"  and {count - SHOWN_FAULTS} more")
        super().__init__(
            errors.Reason.SCHEMA_INVALID,
            "\n".join(lines),
            faults=count,
            **(dataclasses.asdict(self.faults[0]) if self.faults else {}),
        )
