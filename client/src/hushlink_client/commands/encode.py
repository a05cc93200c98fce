"""``hushlink encode``: records in, encodings out, for the data owner's own machine."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable

import click

from hushlink_client import (
    concurrency,
    connection,
    display,
    encoder_service,
    encoding,
    encodings_file,
    fault_report,
    forms,
    operation,
    record_form,
)
from hushlink_client.commands import options, record_options
from hushlink_domain import schema
from hushlink_mesh import config


@click.command()
@click.argument("records", metavar="RECORDS", type=options.FILE)
@click.option("--schema", "schema_file", required=True, type=options.FILE, help="The linkage schema.")
@click.option("--secret-file", type=options.FILE, help="The linkage secret, to encode in this process.")
@click.option("--encoder", metavar="HOST:PORT", help="An encoder service that encodes instead.")
@click.option("--key-name", help="The name under which that service holds the secret.")
@click.option("--project", "project_id", default="", help="The project, so that another secret is noticed.")
@click.option("--out", required=True, type=options.FILE, help="File of encodings to write, for `hushlink upload`.")
@click.option(
    "--form",
    "out_form",
    type=click.Choice([form.value for form in forms.WRITTEN]),
    default=forms.Form.CONTAINER.value,
    show_default=True,
    help="How it is written: as a container (Parquet), or as clkhash's JSON.",
)
@record_options.records
@record_options.bad_rows
@record_options.report
@options.ca
@options.quiet
@options.as_json
def command(
    records: pathlib.Path,
    schema_file: pathlib.Path,
    secret_file: pathlib.Path | None,
    encoder: str | None,
    key_name: str | None,
    project_id: str,
    out: pathlib.Path,
    out_form: str,
    form: record_form.RecordForm,
    bad_rows: str,
    report_file: pathlib.Path | None,
    ca: pathlib.Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Encode a file of records: CSV, Parquet or Arrow, whose columns are named as the schema's.

    Records and secret stay in this process, or go to the encoder service that is named. The file that is written holds
    bits that nobody without the secret can compare with names; it is still no public data.
    """
    here = secret_file is not None and encoder is None and key_name is None
    if not here and (encoder is None or key_name is None or secret_file is not None):
        raise click.UsageError("give --secret-file, or --encoder and --key-name")
    if not here and (bad_rows != "fail" or report_file is not None):
        raise click.UsageError("an encoder service refuses records at fault: encode with --secret-file instead")
    order = _Order(records, out, encoding.read_schema_text(schema_file), project_id, form, forms.Form(out_form))
    silent = quiet or as_json
    with record_options.reporting(report_file, quiet=silent) as report, display.board(quiet=silent) as board:
        bar, rate = board.bar("encoding"), display.Rate()

        def show(rows: int, fraction: float | None) -> None:
            bar.update(fraction or 0, None if fraction is None else 1.0, rate.of(rows))

        if secret_file is not None:
            work = _here(order, secret_file, bad_rows, report, show)
        else:
            work = _there(order, encoder or "", ca, key_name or "", show)
        written = operation.run(work)
    if as_json:
        sys.stdout.write(json.dumps(_facts(written, report, out)) + "\n")
    elif not quiet:
        display.say(f"{written.row_count:,} records encoded: {out}")


def _facts(written: encodings_file.EncodingsFile, report: fault_report.Report, out: pathlib.Path) -> dict[str, object]:
    return {
        "rows": written.row_count,
        "rows_at_fault": report.row_count,
        "width_bits": written.header.width_bits,
        "schema_fingerprint": written.header.schema_fingerprint.hex(),
        "sha256": written.digest.hex,
        "file": str(out),
    }


@dataclasses.dataclass(frozen=True, slots=True)
class _Order:
    """What is encoded into what, wherever that is done."""

    records: pathlib.Path
    out: pathlib.Path
    schema_text: str
    project_id: str
    record_form: record_form.RecordForm
    form: forms.Form


async def _here(
    order: _Order,
    secret_file: pathlib.Path,
    bad_rows: str,
    report: fault_report.Report,
    show: Callable[[int, float | None], None],
) -> encodings_file.EncodingsFile:
    agreed, secret = schema.parse_json(order.schema_text), encoding.read_secret(secret_file)

    def work(stop_if_abandoned: Callable[[], None]) -> encodings_file.EncodingsFile:
        def on_rows(rows: int, fraction: float | None) -> None:
            stop_if_abandoned()
            show(rows, fraction)

        check = encoding.key_check(secret, agreed, order.project_id) if order.project_id else b""
        orders = encoding.Orders(order.record_form, bad_rows, order.form, check)
        return encoding.encode_file(order.records, order.out, agreed, secret, orders, report=report, on_rows=on_rows)

    return await concurrency.in_thread(work)


async def _there(
    order: _Order,
    address: str,
    ca: pathlib.Path | None,
    key_name: str,
    show: Callable[[int, float | None], None],
) -> encodings_file.EncodingsFile:
    channel_config = config.ChannelConfig(ca=ca)
    orders = encoder_service.Orders(order.schema_text, key_name, order.project_id, order.record_form, order.form)
    async with connection.connected(address, channel_config, service=connection.ENCODER) as encoder:
        return await encoder_service.encode_file(encoder, order.records, order.out, orders, on_rows=show)
