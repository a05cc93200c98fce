"""Blocking beside blocklib on the same records and core; prints one table in Markdown.

    .venv/bin/python -m benchmarks.blocking [--rounds 3] [--rows 100000]

Each round runs all, one after the other, and gives one ratio to blocklib; a row shows the least, the median and the
greatest of them. Speeds are in records per second of processor time of one thread, from cells in memory to blocks
with their keys. blocklib needs Python below 3.12.
"""

import argparse
import base64
import copy
import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy

import hushlink_encoder
from hushlink_encoder import blocking, people, schemas
from tests.support import blocklib_oracle

SECRET = hushlink_encoder.Secret(b"a secret of the benchmarks")
COLUMNS = people.COLUMNS
BATCH = 8192
MODES = ("keyed", "compat")


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One configuration, and what it is run on."""

    name: str
    document: dict[str, Any]
    records: bool = True
    share: float = 1.0
    """Of the rows: blocklib's lambda-fold is slow, and no faster per record with more of them."""


def p_sig(least: int, most: int, *, sounds: bool = True) -> dict[str, Any]:
    """Three strategies; blocks of fewer records than ``least`` are dropped."""

    def beginning(feature: str, characters: int) -> dict[str, Any]:
        return {"type": "characters-at", "feature": feature, "config": {"pos": [f":{characters}"]}}

    whole = "metaphone" if sounds else "feature-value"
    return {
        "type": "p-sig",
        "version": 1,
        "config": {
            "blocking-features": ["given_name", "surname", "date_of_birth", "postcode"],
            "filter": {"type": "count", "min": least, "max": most},
            "blocking-filter": {"type": "bloom filter", "number-hash-functions": 20, "bf-len": 2048},
            "signatureSpecs": [
                [{"type": whole, "feature": "given_name"}, {"type": whole, "feature": "surname"}],
                [beginning("given_name", 2), beginning("date_of_birth", 4)],
                [beginning("surname", 3), {"type": "feature-value", "feature": "postcode"}],
            ],
        },
    }


def lambda_fold(*, encodings: bool) -> dict[str, Any]:
    """30 tables of 20 bits each."""
    shared = {"Lambda": 30, "bf-len": 1024, "num-hash-funcs": 5, "K": 20, "random_state": 0, "input-clks": encodings}
    columns = ["given_name", "surname", "date_of_birth"]
    return {"type": "lambda-fold", "version": 1, "config": {"blocking-features": columns, **shared}}


def processor_seconds(work: Callable[[], object]) -> float:
    """Seconds of this thread's processor time."""
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def of_records(document: dict[str, Any], mode: str, cells: list[list[str]]) -> Callable[[], object]:
    """Our blocks of records."""
    agreed = blocking.parse(document, COLUMNS, mode)

    def work() -> object:
        blocker = blocking.blocker(agreed, SECRET)
        for start in range(0, len(cells[0]), BATCH):
            blocker.add([column[start : start + BATCH] for column in cells])
        return blocker.finish()

    return work


def of_encodings(document: dict[str, Any], mode: str, rows: hushlink_encoder.Encodings) -> Callable[[], object]:
    """Our blocks of encodings."""
    agreed = blocking.parse(document, COLUMNS, mode)

    def work() -> object:
        blocker = blocking.encodings_blocker(agreed, SECRET)
        blocker.add_encodings(rows)
        return blocker.finish()

    return work


def measured(case: Case, rounds: int, everybody: list[list[str]]) -> list[str]:
    """Rows of the table: one for each mode."""
    count = int(len(everybody[0]) * case.share)
    cells = [column[:count] for column in everybody]
    document = case.document
    if case.records:
        data: list[Any] = list(zip(*cells, strict=True))
        ours = [of_records(document, mode, cells) for mode in MODES]
    else:
        with hushlink_encoder.Encoder(schemas.document("people"), SECRET) as encoder:
            rows = encoder.encode_columns(cells)
        data = [base64.b64encode(row.tobytes()).decode() for row in rows]
        ours = [of_encodings(document, mode, rows) for mode in MODES]
    works = [lambda: blocklib_oracle.candidate_blocks(data, copy.deepcopy(document), COLUMNS), *ours]
    speeds = numpy.array([[count / processor_seconds(work) for work in works] for _ in range(rounds)])
    table = []
    for number, mode in enumerate(MODES, start=1):
        ratios = (speeds[:, number] / speeds[:, 0]).tolist()
        spread = f"{min(ratios):.1f} / {statistics.median(ratios):.1f} / {max(ratios):.1f}"
        found, theirs = numpy.median(speeds[:, number]), numpy.median(speeds[:, 0])
        table.append(f"| {case.name}, {mode} | {found:,.0f} | {theirs:,.0f} | {spread} |")
    return table


def main() -> None:
    """Run every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    parts = list(people.Plan(rows=options.rows, seed=1).batches(0))
    cells = [[cell for part in parts for cell in part[column]] for column in range(len(COLUMNS))]
    most = options.rows // 50
    cases = [
        Case("p-sig, blocks of 2 to 2% of records", p_sig(2, most)),
        Case("p-sig without sounds", p_sig(2, most, sounds=False)),
        Case("p-sig, lone records kept", p_sig(1, most)),
        Case("lambda-fold of records", lambda_fold(encodings=False), share=0.1),
        Case("lambda-fold of encodings", lambda_fold(encodings=True), records=False, share=0.1),
    ]
    print("| case | hushlink, records/s | blocklib | ratio min / median / max |")
    print("|---|---|---|---|")
    for case in cases:
        print("\n".join(measured(case, options.rounds, cells)), flush=True)


if __name__ == "__main__":
    main()
