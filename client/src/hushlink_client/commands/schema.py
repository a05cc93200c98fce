"""``hushlink schema``: what a linkage schema means, and what is wrong with it."""

from __future__ import annotations

import json
import pathlib
import sys

import click

from hushlink_client import display, encoding
from hushlink_client.commands import options
from hushlink_domain import schema


@click.group()
def command() -> None:
    """Check and describe linkage schemas."""


@command.command()
@click.argument("file", metavar="SCHEMA.json", type=options.FILE)
@options.as_json
def validate(file: pathlib.Path, as_json: bool) -> int:
    """List every fault of a schema; exit status 2 if it has any."""
    try:
        encoding.read_schema(file)
        faults: tuple[schema.SchemaFault, ...] = ()
    except schema.InvalidSchema as error:
        faults = error.faults
    if as_json:
        listed = [{"path": fault.path, "problem": fault.problem, "remedy": fault.remedy} for fault in faults]
        sys.stdout.write(json.dumps({"valid": not faults, "faults": listed}) + "\n")
    elif faults:
        sys.stderr.write("".join(f"{fault}\n" for fault in faults))
    else:
        sys.stdout.write(f"{file} is a valid linkage schema\n")
    return 2 if faults else 0


@command.command()
@click.argument("file", metavar="SCHEMA.json", type=options.FILE)
@options.as_json
def describe(file: pathlib.Path, as_json: bool) -> None:
    """Say what a schema means: its fingerprint, width, mode and columns."""
    agreed = encoding.read_schema(file)
    if as_json:
        sys.stdout.write(json.dumps(_facts(agreed)) + "\n")
        return
    display.table(
        [
            ("fingerprint", agreed.fingerprint().hex()),
            ("width", f"{agreed.width_bits} bits"),
            ("mode", agreed.mode.value),
        ]
    )
    rows = [
        (column.identifier, _comparison(column.comparison), _bits(column.strategy))
        if isinstance(column, schema.Feature)
        else (column.identifier, "ignored", "")
        for column in agreed.columns
    ]
    sys.stdout.write("\n")
    display.table(rows, ("column", "compared by", "bits"))


def _facts(agreed: schema.LinkageSchema) -> dict[str, object]:
    return {
        "schema_fingerprint": agreed.fingerprint().hex(),
        "width_bits": agreed.width_bytes * 8,
        "mode": agreed.mode.value,
        "columns": [
            {"identifier": column.identifier, "ignored": not isinstance(column, schema.Feature)}
            for column in agreed.columns
        ],
    }


def _comparison(comparison: schema.Comparison) -> str:
    match comparison:
        case schema.NgramComparison(n, positional):
            return f"{n}-grams" + (" and their places" if positional else "")
        case schema.ExactComparison():
            return "the whole value"
        case schema.NumericComparison(distance):
            return f"distance up to {distance}"


def _bits(strategy: schema.Strategy) -> str:
    match strategy:
        case schema.BitsPerToken(bits):
            return f"{bits} a token"
        case schema.BitsPerFeature(bits):
            return f"{bits} a value"
