"""``hushlink secret``: makes linkage secrets, and lets parties see that theirs are the same."""

from __future__ import annotations

import json
import pathlib
import sys

import click

from hushlink_client import display, encoding
from hushlink_client.commands import options


@click.group()
def command() -> None:
    """Make linkage secrets, and compare them without showing them."""


@command.command()
@click.argument("file", metavar="[FILE]", type=options.FILE, default="linkage.secret")
@options.as_json
def new(file: pathlib.Path, as_json: bool) -> None:
    """Write a fresh secret to FILE (linkage.secret), which must not exist; nothing of it is shown.

    It is 32 random bytes in base64. Give it to the other parties, and to nobody else, on a way that nobody else reads.
    """
    encoding.write_new_secret(file)
    if as_json:
        sys.stdout.write(json.dumps({"file": str(file)}) + "\n")
    else:
        display.say(f"a new secret is in {file}: give it to the other parties, and never to the linkage unit")


@command.command()
@click.argument("file", metavar="FILE", type=options.FILE)
@click.option("--schema", "schema_file", required=True, type=options.FILE, help="The linkage schema.")
@options.project
@options.as_json
def check(file: pathlib.Path, schema_file: pathlib.Path, project_id: str, as_json: bool) -> None:
    """Print the key check: equal exactly where secret, schema and project are.

    It is what an upload carries, so parties can compare theirs beforehand, by telephone.
    """
    agreed, secret = encoding.read_schema(schema_file), encoding.read_secret(file)
    value = encoding.key_check(secret, agreed, project_id).hex()
    sys.stdout.write((json.dumps({"key_check": value}) if as_json else value) + "\n")
