"""Blocks of records or encodings, made in this process and kept in files."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from hushlink_client import encoding, encodings_file, errors, forms
from hushlink_domain import schema


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What blocking a file came to."""

    statistics: encoding.BlockStatistics
    fingerprint: bytes
    """The configuration's."""
    kind: str
    mode: str
    comparisons_between: int | None
    """Comparisons with the other file's blocks, if another was given."""
    sha256: str | None
    """Of what was written, without its last line; None if nothing was."""

    def facts(self) -> dict[str, Any]:
        """All of it as JSON values."""
        shown = self.statistics
        return {
            "kind": self.kind,
            "mode": self.mode,
            "configuration_fingerprint": self.fingerprint.hex(),
            **dataclasses.asdict(shown),
            "coverage": shown.coverage,
            "reduction_within": shown.reduction_within,
            "reduction_with_its_like": shown.reduction_with_its_like,
            "comparisons_between": self.comparisons_between,
            "sha256": self.sha256,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What is to be blocked, and how."""

    source: pathlib.Path
    """Records as CSV, or encodings where the configuration wants them."""
    configuration: pathlib.Path
    agreed: schema.LinkageSchema | None
    """The schema, whose columns a file of records has."""
    secret: encoding.Secret | None = dataclasses.field(repr=False)
    mode: str | None = None
    """"keyed" or "compat" instead of what the configuration says."""
    out: pathlib.Path | None = None
    """The file of blocks to write; None = none."""
    against: pathlib.Path | None = None
    """Another file of blocks to count comparisons with."""


def block(request: Request, on_rows: Callable[[int], None] = lambda _: None) -> Outcome:
    """Make blocks, measure them, and write them if that is asked for; all of the file or nothing.

    Raises:
        hushlink_domain.errors.CallerError: configuration, secret, records or the other file's blocks are faulty.
        errors.InputError: a file can't be read or written, or what is given does not fit together.
    """
    identifiers = request.agreed.identifiers if request.agreed else ()
    agreed = encoding.read_blocking(request.configuration, identifiers, request.mode)
    if encoding.blocks_encodings(agreed):
        source = forms.read(request.source)
        made = encoding.blocks_of_encodings(agreed, request.secret, source, source.header.width_bits, on_rows)
    elif request.agreed is None:
        raise errors.InputError("blocks of records need the linkage schema: give --schema")
    else:
        made = encoding.blocks_of_records(agreed, request.secret, request.source, request.agreed, on_rows)
    statistics, between = encoding.measured_blocks(made, request.against)
    digest = None
    if request.out is not None:
        with encodings_file.replacing(request.out) as stream:
            digest = encoding.write_blocks(stream, made)
    return Outcome(statistics, made.fingerprint, made.kind.value, made.mode.value, between, digest)
