"""Invented people in the columns of the shipped schema febrl4, and what linking their files should find."""

from __future__ import annotations

import csv
import pathlib
import random
from collections.abc import Sequence

import numpy as np

import hushlink_encoder
import hushlink_native
from hushlink_encoder import schemas

SCHEMA = "febrl4"
COLUMNS = (
    *("rec_id", "given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state"),
    *("date_of_birth", "soc_sec_id"),
)
SECRET = b"the tests' secret"
_SYLLABLES = (
    "an",
    "be",
    "cor",
    "da",
    "el",
    "fi",
    "gor",
    "ha",
    "is",
    "jo",
    "ka",
    "lu",
    "mi",
    "no",
    "ra",
    "su",
    "ti",
    "ve",
)

Group = tuple[tuple[int, int], ...]


def _word(draw: random.Random, syllables: int) -> str:
    return "".join(draw.choices(_SYLLABLES, k=syllables))


def person(number: int, draw: random.Random) -> list[str]:
    """Somebody; the number stands in the column that is never read."""
    digits = "0123456789"
    return [
        str(number),
        *(_word(draw, 3), _word(draw, 3), str(draw.randint(1, 300)), _word(draw, 5), _word(draw, 3), _word(draw, 4)),
        *("".join(draw.choices(digits, k=4)), draw.choice(("nsw", "vic", "qld"))),
        *("".join(draw.choices(digits, k=8)), "".join(draw.choices(digits, k=7))),
    ]


def mistaken(record: Sequence[str], draw: random.Random) -> list[str]:
    """The same person as somebody else wrote it down: one letter wrong in two cells."""
    copy = list(record)
    for column in draw.sample(range(1, len(copy)), 2):
        cell = copy[column]
        place = draw.randrange(len(cell))
        copy[column] = cell[:place] + draw.choice("xyz") + cell[place + 1 :]
    return copy


def files(folder: pathlib.Path, count: int, rows: int, seed: int = 1) -> list[pathlib.Path]:
    """``count`` CSV files of ``rows`` people each; neighbours in number share about half of theirs."""
    draw = random.Random(seed)
    everybody = [person(number, draw) for number in range(2 * rows)]
    written = []
    for file in range(count):
        records = [mistaken(record, draw) for record in draw.sample(everybody, rows)]
        path = folder / f"people-{file}.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([COLUMNS, *records])
        written.append(path)
    return written


def agreement(folder: pathlib.Path) -> list[str]:
    """A schema file and a secret file, as options of the command line."""
    (folder / "schema.json").write_bytes(schemas.text(SCHEMA))
    (folder / "secret").write_bytes(SECRET + b"\n")
    return ["--schema", str(folder / "schema.json"), "--secret-file", str(folder / "secret")]


def encoded(path: pathlib.Path) -> hushlink_encoder.Encodings:
    """A file's encodings."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    return hushlink_encoder.Encoder(schemas.document(SCHEMA), SECRET).encode(rows)


def expected_groups(paths: Sequence[pathlib.Path], threshold: float) -> list[Group]:
    """What the kernel and the solver make of all files, in this process and without any mesh."""
    datasets = [encoded(path) for path in paths]
    columns: list[tuple[np.ndarray, ...]] = []
    for left in range(len(datasets)):
        for right in range(left + 1, len(datasets)):
            scores, rows_a, rows_b = hushlink_native.candidate_pairs(datasets[left], datasets[right], threshold)
            columns.append((scores, np.full(len(scores), left), np.full(len(scores), right), rows_a, rows_b))
    scores, in_a, in_b, rows_a, rows_b = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.lexsort((rows_b, rows_a, in_b, in_a, -scores))
    datasets_of = in_a[order].astype(np.uint16), in_b[order].astype(np.uint16)
    rows_of = rows_a[order].astype(np.uint32), rows_b[order].astype(np.uint32)
    return [tuple(group) for group in hushlink_native.greedy_groups(scores[order], datasets_of, rows_of)]


def true_groups(paths: Sequence[pathlib.Path]) -> set[Group]:
    """The rows of each person who is in two files or more."""
    rows: dict[str, list[tuple[int, int]]] = {}
    for dataset, path in enumerate(paths):
        with path.open(newline="", encoding="utf-8") as stream:
            for row, record in enumerate(csv.DictReader(stream)):
                rows.setdefault(record["rec_id"], []).append((dataset, row))
    return {tuple(members) for members in rows.values() if len(members) > 1}


def read_groups(path: pathlib.Path) -> list[Group]:
    """A file of groups."""
    with path.open(newline="", encoding="ascii") as stream:
        reader = csv.reader(stream)
        assert next(reader) == ["group", "dataset", "row"]
        groups: dict[int, list[tuple[int, int]]] = {}
        for group, dataset, row in reader:
            groups.setdefault(int(group), []).append((int(dataset), int(row)))
    assert list(groups) == list(range(len(groups)))
    return [tuple(members) for members in groups.values()]
