"""Invented people: the same everywhere, linked as planned, real enough, and of use with the shipped schema."""

from __future__ import annotations

import collections
import csv
import hashlib
import io
import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest

import hushlink_encoder
from hushlink_encoder import people, schemas
from hushlink_encoder.people import draws, mistakes

SMALL = people.Plan(rows=500, files=3, overlap=0.4, errors=0.5, missing=0.05, seed=11)


def written(plan: people.Plan, file: int) -> bytes:
    stream = io.BytesIO()
    plan.write(stream, file)
    return stream.getvalue()


def table(plan: people.Plan, file: int) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(plan, file).decode(), newline="")))


def columns(plan: people.Plan, file: int) -> list[list[str]]:
    batches = ([list(column) for column in batch] for batch in plan.batches(file))
    return [list(itertools.chain(*parts)) for parts in zip(*batches, strict=True)]


def test_the_same_seed_is_the_same_bytes_on_every_machine() -> None:
    digest = hashlib.sha256(b"".join(written(SMALL, file) for file in range(3))).hexdigest()
    assert digest == "f0b68fce82e4eb47db3bf0a1a836d9c6b19bb4543e145e2874c88eda7d34f22c"


def test_another_seed_is_other_people() -> None:
    other = people.Plan(rows=500, seed=12)
    same = set(zip(*columns(people.Plan(rows=500, seed=11), 0)[1:5], strict=True))
    assert len(same & set(zip(*columns(other, 0)[1:5], strict=True))) == 0


def test_files_share_the_people_that_they_should() -> None:
    found = [[row[people.TRUTH] for row in table(SMALL, file)] for file in range(3)]
    assert [len(set(numbers)) for numbers in found] == [500] * 3
    for left, right in itertools.combinations(map(set, found), 2):
        assert len(left & right) == SMALL.shared == 200
    assert len(set.intersection(*map(set, found))) == 200
    assert found[0][:20] != found[1][:20]
    assert sum(a == b for a, b in zip(found[0], found[1], strict=True)) < 10


@pytest.mark.parametrize("overlap", [0, 1])
def test_all_or_nothing_is_shared(overlap: float) -> None:
    plan = people.Plan(rows=333, overlap=overlap)
    left, right = ({row[people.TRUTH] for row in table(plan, file)} for file in range(2))
    assert len(left & right) == 333 * overlap


def test_without_errors_records_of_one_person_are_equal() -> None:
    plan = people.Plan(rows=400, overlap=1, errors=0, missing=0, seed=5)
    left, right = ({row[people.TRUTH]: row for row in table(plan, file)} for file in range(2))
    assert left == right
    assert all(all(row.values()) for row in left.values())


def test_rates_are_those_that_were_asked_for() -> None:
    plan = people.Plan(rows=20_000, overlap=1, errors=0.3, missing=0.0, seed=5)
    truth = people.Plan(rows=20_000, overlap=1, errors=0.0, missing=0.0, seed=5)
    wrong, right = ({row[0]: row for row in zip(*columns(each, 0), strict=True)} for each in (plan, truth))
    spoiled = sum(wrong[number] != right[number] for number in right) / len(right)
    assert 0.26 < spoiled <= 0.31
    gone = columns(people.Plan(rows=20_000, errors=0, missing=0.1), 0)[1:]
    for column in gone:
        assert 0.09 < column.count("") / len(column) < 0.11


def test_errors_are_of_every_kind() -> None:
    plan = people.Plan(rows=20_000, overlap=1, errors=1, missing=0, seed=5)
    truth = people.Plan(rows=20_000, overlap=1, errors=0, missing=0, seed=5)
    right = {row[people.TRUTH]: row for row in table(truth, 0)}
    kinds: collections.Counter[str] = collections.Counter()
    for row in table(plan, 0):
        was = right[row[people.TRUTH]]
        kinds["exchanged"] += (row["given_name"], row["surname"]) == (was["surname"], was["given_name"])
        kinds["moved"] += row["postcode"][:2] != was["postcode"][:2] and row["town"] != was["town"]
        kinds["married"] += row["sex"] == "f" and row["surname"][:1] != was["surname"][:1]
        kinds["initial"] += len(row["given_name"]) == 1 < len(was["given_name"])
        kinds["transposed"] += row["surname"] != was["surname"] and sorted(row["surname"]) == sorted(was["surname"])
        kinds["shorter"] += len(row["phone"]) < 11
        kinds["longer"] += len(row["phone"]) > 11
        kinds["date"] += row["date_of_birth"] != was["date_of_birth"]
    assert min(kinds.values()) > 50, kinds


def test_names_are_unevenly_frequent_and_households_share_theirs() -> None:
    plan = people.Plan(rows=24_000, overlap=1, errors=0, missing=0, seed=2)
    rows = sorted(table(plan, 0), key=lambda row: int(row[people.TRUTH]))
    for column, most in (("surname", 0.03), ("given_name", 0.03), ("town", 0.15)):
        counts = collections.Counter(row[column] for row in rows).most_common()
        assert len(rows) * 0.004 < counts[0][1] < len(rows) * most
        assert counts[0][1] > 10 * counts[-1][1]
    homes = collections.defaultdict(list)
    for row in rows:
        homes[row["house_number"], row["street"], row["postcode"], int(row[people.TRUTH]) // 12].append(row)
    sizes = collections.Counter(map(len, homes.values()))
    assert set(sizes) >= {1, 2, 3, 4, 5} and sizes[2] > 1000
    together = [home for home in homes.values() if len(home) > 1]
    assert sum(len({row["surname"] for row in home}) == 1 for home in together) > 0.7 * len(together)
    assert len({row["phone"] for row in rows}) > 0.999 * len(rows)
    births = [int(row["date_of_birth"][:4]) for row in rows]
    assert min(births) < 1940 and max(births) > 2015


def test_columns_are_chosen_without_changing_cells() -> None:
    whole, chosen = (
        table(SMALL, 1),
        people.Plan(
            **{**{name: getattr(SMALL, name) for name in ("rows", "files", "overlap", "errors", "missing", "seed")}},
            columns=("surname", "person"),
        ),
    )
    assert table(chosen, 1) == [{"surname": row["surname"], "person": row["person"]} for row in whole]


def test_one_column_has_no_blank_lines() -> None:
    plan = people.Plan(rows=300, missing=0.5, columns=("surname",))
    lines = written(plan, 0).decode().split("\n")
    assert "" not in lines[:-1] and '""' in lines
    assert len(table(plan, 0)) == 300


def test_memory_does_not_grow_with_rows() -> None:
    plan = people.Plan(rows=10**12, files=2, overlap=0.3)
    batches = plan.batches(1)
    next(batches)
    tracemalloc.start()
    next(batches)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 1000])
def test_a_permutation_has_each_number_once(count: int) -> None:
    order = draws.Permutation(count, 3, "x").of(np.arange(count, dtype=np.uint64))
    assert sorted(order.tolist()) == list(range(count))


def test_one_and_many_draw_alike() -> None:
    begin = draws.base(5, "purpose")
    numbers = [0, 1, 2**40, 2**63 + 5]
    assert draws.drawn(begin, np.array(numbers, np.uint64)).tolist() == [draws.drawn_one(begin, n) for n in numbers]


@pytest.mark.parametrize("spoil", [mistakes.typed, mistakes.transposed, mistakes.scanned, mistakes.misheard])
@pytest.mark.parametrize("cell", ["a", "Ann", "1980-02-03", "Łukasz", "O'Brien", "--", "zz", "Phillips"])
def test_slips_are_small_and_need_no_quotes(spoil: mistakes.Slip, cell: str) -> None:
    found = {spoil(cell, draws.Stream(1, number)) for number in range(200)}
    assert len(found - {cell}) > 0 or (spoil is mistakes.transposed and len(set(cell)) == 1) or cell == "--"
    assert all(abs(len(each) - len(cell)) <= 1 and not set(each) & set(',"\n\r') for each in found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 0},
        {"files": 0, "rows": 1},
        {"rows": 1 << 60},
        {"overlap": 1.1},
        {"errors": -0.1},
        {"missing": float("nan")},
        {"columns": ()},
        {"columns": ("surname", "nobody")},
        {"columns": ("surname", "surname")},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"column|row|overlap|errors|missing"):
        people.Plan(**({"rows": 10} | wrong))


@pytest.mark.parametrize(
    ("errors", "missing", "precision", "recall"), [(0.2, 0.01, 0.99, 0.99), (0.6, 0.05, 0.99, 0.93)]
)
def test_precision_and_recall_with_the_shipped_schema(
    errors: float, missing: float, precision: float, recall: float
) -> None:
    native = pytest.importorskip("hushlink_native")
    plan = people.Plan(rows=5000, overlap=0.5, errors=errors, missing=missing, seed=3)
    encoder = hushlink_encoder.Encoder(schemas.document("people"), b"a secret of the tests")
    assert encoder.schema.identifiers == people.COLUMNS
    cells = [columns(plan, file) for file in range(2)]
    left, right = (encoder.encode_columns(each) for each in cells)
    scores, a, b = native.candidate_pairs(left, right, 0.70)
    datasets = np.zeros(len(a), np.uint16), np.ones(len(b), np.uint16)
    groups = native.greedy_groups(scores, datasets, (a.astype(np.uint32), b.astype(np.uint32)))
    correct = sum(cells[0][0][group[0][1]] == cells[1][0][group[1][1]] for group in groups)
    assert correct / len(groups) >= precision
    assert correct / plan.shared >= recall
