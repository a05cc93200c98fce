"""Groups as files that other programs read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import BinaryIO

from hushlink_client import encodings_file, errors, results

CSV_HEADER = b"group,dataset,row\n"

RowNumbers = Mapping[int, encodings_file.RowNumbers]
"""By dataset: which row of its input each of its rows is. Rows of other datasets are given as they are."""


async def write_csv(
    stream: BinaryIO,
    pages: AsyncIterator[results.Page],
    row_numbers: RowNumbers | None = None,
) -> None:
    """One line per member, with its group, dataset and row, each from 0.

    Raises:
        errors.InputError: the row numbers are not those of a dataset.
    """
    stream.write(CSV_HEADER)
    async for page in pages:
        stream.write(b"".join(b"%d,%d,%d\n" % member for member in _members(page, row_numbers or {})))


async def write_json_lines(
    stream: BinaryIO,
    pages: AsyncIterator[results.Page],
    row_numbers: RowNumbers | None = None,
) -> None:
    """One line per group: ``{"group": 0, "members": [[dataset, row], ...]}``.

    Raises:
        errors.InputError: the row numbers are not those of a dataset.
    """
    async for page in pages:
        groups: dict[int, list[tuple[int, int]]] = {}
        for group, dataset, row in _members(page, row_numbers or {}):
            groups.setdefault(group, []).append((dataset, row))
        for group, members in groups.items():
            stream.write(json.dumps({"group": group, "members": members}).encode() + b"\n")


def _members(page: results.Page, row_numbers: RowNumbers) -> Iterator[tuple[int, int, int]]:
    """Each member as (group, dataset, row of the input)."""
    gapped = {dataset: numbers for dataset, numbers in row_numbers.items() if numbers.missing}
    for group, dataset, row in page.members():
        if (numbers := gapped.get(dataset)) is None:
            yield group, dataset, row
        elif row < numbers.count:
            yield group, dataset, numbers[row]
        else:
            raise errors.InputError(
                f"dataset {dataset} has more rows than its container: was it uploaded from another?"
            )
