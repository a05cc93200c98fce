"""What callers are told of a schema or of records: the first faults and how many there are, short enough for a status.

A status travels as HTTP/2 headers, of which many clients take 8 KiB and no more.
"""

from __future__ import annotations

from typing import Final

from hushlink_domain import errors, schema
from hushlink_encoder import faults

MESSAGE_BYTES: Final = 1000
FACT_BYTES: Final = 250
SHOWN_FAULTS: Final = 5


def of_schema(error: schema.InvalidSchema) -> errors.CallerError:
    """SCHEMA_INVALID, with the facts `faults` (how many), `path`, `problem` and `remedy` of the first."""
    first = error.faults[0]
    heading = f"the linkage schema has {_counted(len(error.faults))} (ValidateSchema lists all): "
    return errors.CallerError(
        errors.Reason.SCHEMA_INVALID,
        clipped(heading + "; ".join(map(str, error.faults[:SHOWN_FAULTS])), MESSAGE_BYTES),
        faults=len(error.faults),
        path=clipped(first.path, FACT_BYTES),
        problem=clipped(first.problem, FACT_BYTES),
        remedy=clipped(first.remedy, FACT_BYTES),
    )


def of_records(error: faults.InvalidRecords) -> errors.CallerError:
    """RECORDS_INVALID, with the facts `faults` (how many), `row`, `column`, `problem` and `kind` of the first."""
    first = error.faults[0]
    facts: dict[str, object] = {"faults": len(error.faults), "kind": first.kind.name}
    facts["problem"] = clipped(f"{first.kind.value} ({first.note})" if first.note else first.kind.value, FACT_BYTES)
    if first.row is not None:
        facts["row"] = first.row
    if first.column is not None:
        facts["column"] = clipped(first.column, FACT_BYTES)
    heading = f"the records have {_counted(len(error.faults))}: "
    shown = "; ".join(clipped(str(fault), FACT_BYTES) for fault in error.faults[:SHOWN_FAULTS])
    return errors.CallerError(errors.Reason.RECORDS_INVALID, clipped(heading + shown, MESSAGE_BYTES), **facts)


def clipped(text: str, size: int) -> str:
    """The text, or as much of its beginning as ``size`` bytes of UTF-8 hold, with three dots behind it."""
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= size else encoded[: size - 3].decode(errors="ignore") + "..."


def _counted(count: int) -> str:
    return "a fault" if count == 1 else f"{count} faults"
