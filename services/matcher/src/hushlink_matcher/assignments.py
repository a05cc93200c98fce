"""Assignments: the tiles a coordinator asks for, checked before any work begins."""

from __future__ import annotations

import dataclasses

from hushlink_domain import digests, encodings, errors, metrics, runs

MAX_SIDE_CHUNKS = 4096
"""How many chunks one side of a tile names at the most."""

MAX_SIDE_ROWS = 2**32 - 1
"""How many rows one side has at the most: rows travel as unsigned 32-bit integers."""


@dataclasses.dataclass(frozen=True, slots=True)
class Assignment:
    """One tile to compare."""

    number: int
    """Its name on the stream."""
    width_bytes: int
    """Bytes of one row."""
    metric: metrics.Metric
    threshold: float
    left: tuple[digests.Digest, ...]
    """Chunks of the left rows, in order."""
    right: tuple[digests.Digest, ...]
    """Chunks of the right rows; empty = the left rows are compared with each other."""
    pairs_per_run: int


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One tile as it was asked for, not checked yet."""

    number: int
    width_bits: int
    metric: str
    threshold: float
    left: tuple[digests.Digest, ...]
    right: tuple[digests.Digest, ...]
    pairs_per_run: int


def checked(request: Request, max_pairs_per_run: int) -> Assignment:
    """The assignment that ``request`` asks for.

    Raises:
        errors.CallerError: INVALID_REQUEST, METRIC_UNSUPPORTED, THRESHOLD_OUT_OF_RANGE, LIMIT_EXCEEDED or
            CHUNK_RAGGED; no matcher can compare such a tile.
    """
    width_bytes = encodings.width_bytes(request.width_bits)
    for side in (request.left, request.right):
        _check_side(side, width_bytes)
    if not request.left:
        raise errors.CallerError(errors.Reason.INVALID_REQUEST, "a tile names at least one left chunk", field="left")
    if not 1 <= request.pairs_per_run <= max_pairs_per_run:
        raise errors.CallerError(
            errors.Reason.LIMIT_EXCEEDED,
            f"this matcher makes runs of 1 to {max_pairs_per_run} pairs, not of {request.pairs_per_run}",
            limit="max_pairs_per_run",
            allowed=max_pairs_per_run,
            found=request.pairs_per_run,
        )
    return Assignment(
        number=request.number,
        width_bytes=width_bytes,
        metric=_metric(request.metric),
        threshold=runs.check_threshold(request.threshold),
        left=request.left,
        right=request.right,
        pairs_per_run=request.pairs_per_run,
    )


def _metric(name: str) -> metrics.Metric:
    try:
        return metrics.Metric(name)
    except ValueError:
        supported = ", ".join(metric.value for metric in metrics.Metric)
        raise errors.CallerError(
            errors.Reason.METRIC_UNSUPPORTED,
            f"this matcher does not know the metric asked for; it knows {supported}",
            metric=name[:40],
            supported=supported,
        ) from None


def _check_side(side: tuple[digests.Digest, ...], width_bytes: int) -> None:
    if len(side) > MAX_SIDE_CHUNKS:
        raise errors.CallerError(
            errors.Reason.LIMIT_EXCEEDED,
            f"a side of a tile names at most {MAX_SIDE_CHUNKS} chunks, not {len(side)}: cut smaller tiles",
            limit="side_chunks",
            allowed=MAX_SIDE_CHUNKS,
            found=len(side),
        )
    rows = 0
    for digest in side:
        rows += encodings.rows_in(rows, digest.size_bytes, width_bytes)
    if rows > MAX_SIDE_ROWS:
        raise errors.CallerError(
            errors.Reason.LIMIT_EXCEEDED,
            f"a side of a tile has at most {MAX_SIDE_ROWS} rows, not {rows}: cut smaller tiles",
            limit="side_rows",
            allowed=MAX_SIDE_ROWS,
            found=rows,
        )
