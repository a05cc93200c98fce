"""Groups as files."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator

import pytest

from hushlink_client import encodings_file, errors, groups_file, results

PAGES = [
    results.Page(0, (2, 3), (0, 1, 0, 1, 2), (5, 7, 6, 0, 4_294_967_295), "a"),
    results.Page(2, (2,), (1, 2), (1, 1), "b"),
]


async def pages() -> AsyncIterator[results.Page]:
    for page in PAGES:
        yield page


async def test_csv() -> None:
    stream = io.BytesIO()
    await groups_file.write_csv(stream, pages())
    assert stream.getvalue() == b"group,dataset,row\n0,0,5\n0,1,7\n1,0,6\n1,1,0\n1,2,4294967295\n2,1,1\n2,2,1\n"


async def test_json_lines() -> None:
    stream = io.BytesIO()
    await groups_file.write_json_lines(stream, pages())
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"group": 0, "members": [[0, 5], [1, 7]]},
        {"group": 1, "members": [[0, 6], [1, 0], [2, 4294967295]]},
        {"group": 2, "members": [[1, 1], [2, 1]]},
    ]


async def test_rows_are_those_of_the_input_where_its_row_numbers_are_given() -> None:
    numbers = encodings_file.RowNumbers(6)
    numbers.extend(8, 10)
    stream = io.BytesIO()
    await groups_file.write_csv(stream, pages(), {0: numbers})
    assert stream.getvalue() == b"group,dataset,row\n0,0,5\n0,1,7\n1,0,8\n1,1,0\n1,2,4294967295\n2,1,1\n2,2,1\n"
    with pytest.raises(errors.InputError, match="dataset 2 has more rows"):
        await groups_file.write_json_lines(stream, pages(), {2: numbers})
