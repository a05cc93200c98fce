"""How files of records are written, and what becomes of records at fault: what a data owner says of the input."""

from __future__ import annotations

import dataclasses
import pathlib

KINDS = ("csv", "parquet", "arrow")
_SUFFIXES = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow"}


@dataclasses.dataclass(frozen=True, slots=True)
class RecordForm:
    """How a file of records is written."""

    kind: str | None = None
    """One of `KINDS`; None = by the file's name: .parquet, .arrow, .feather, .ipc, else CSV."""
    delimiter: str = ","
    """Of CSV, and so are all that follow: the one character between cells."""
    quote: str | None = '"'
    """The character around cells that hold delimiters, quotes or line ends; None = there is none."""
    escape: str | None = None
    """The character before a quote or delimiter that belongs to a cell; None = quotes are doubled instead."""
    header: str = "check"
    """What the first line is: "check", "match", "skip" or "none"; see the encoder's `Header`."""

    def kind_of(self, path: pathlib.Path) -> str:
        """Which of `KINDS` a file is."""
        return self.kind or _SUFFIXES.get(path.suffix.lower(), "csv")
