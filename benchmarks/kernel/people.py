"""Invented people with the habits of real ones: few names are frequent and many rare, neighbours share a suburb, cells
are missing, and the second file was typed by somebody else.

Files are made slice by slice, each from its own number, so that a million people need the
memory of ten thousand.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import random

import numpy as np

SLICE_ROWS = 10_000
COLUMNS = ("given_name", "surname", "birth_date", "street_number", "street", "suburb", "postcode")

OVERLAP = 0.5
"""Share of the second file's people who are in the first file too."""

_MISSING = {"birth_date": 0.02, "street_number": 0.04, "street": 0.01}
"""How often a cell is empty."""
_MOVED = 0.08
"""Share of the shared people who have another address in the second file."""
_MISTAKES = {"given_name": 0.12, "surname": 0.08, "birth_date": 0.05, "street": 0.15, "suburb": 0.04, "postcode": 0.03}
"""How often somebody mistyped a cell."""

_SKEW = 0.85
"""The name of rank r is used in proportion to r ** -_SKEW, about as surnames are."""
_FIRST_DAY = datetime.date(1920, 1, 1)
_DAYS = 100 * 365

Columns = dict[str, list[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words, the frequent ones first, and the chance that a person has one up to each."""

    words: list[str]
    chances: np.ndarray

    @classmethod
    def invented(cls, count: int, syllables: tuple[int, int], seed: int) -> Vocabulary:
        """Different words of so many syllables."""
        draw = random.Random(seed)
        words: dict[str, None] = {}
        while len(words) < count:
            words["".join(_syllable(draw) for _ in range(draw.randint(*syllables)))] = None
        weights = np.arange(1, count + 1, dtype=np.float64) ** -_SKEW
        return cls(list(words), np.cumsum(weights) / weights.sum())

    def places(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """The places of words as often as people have them."""
        return np.minimum(np.searchsorted(self.chances, rng.random(count)), len(self.words) - 1)

    def drawn(self, rng: np.random.Generator, count: int) -> list[str]:
        """Words as often as people have them."""
        return [self.words[place] for place in self.places(rng, count)]


def _syllable(draw: random.Random) -> str:
    onsets, vowels, codas = (
        "b br c ch d f g gr h j k l m n p r s sh st t th v w",
        "a e i o u ai ea ie ou",
        "l m n r s t",
    )
    coda = draw.choice(codas.split()) if draw.random() < 0.4 else ""
    return draw.choice(onsets.split()) + draw.choice(vowels.split()) + coda


@functools.cache
def _vocabularies() -> dict[str, Vocabulary]:
    return {
        "given_name": Vocabulary.invented(2_000, (1, 3), 1),
        "surname": Vocabulary.invented(20_000, (2, 3), 2),
        "street": Vocabulary.invented(6_000, (2, 4), 3),
        "suburb": Vocabulary.invented(1_500, (2, 4), 4),
    }


def first_file(number: int, rows: int = SLICE_ROWS) -> Columns:
    """A slice of the first file, column by column."""
    return _people(np.random.default_rng([1, number]), rows)


def second_file(number: int, rows: int = SLICE_ROWS) -> Columns:
    """The slice of the second file that shares people with the slice of this number and size of the first."""
    rng = np.random.default_rng([2, number])
    shared = int(rows * OVERLAP)
    again, others = first_file(number, rows), _people(rng, rows - shared)
    _retype(again, shared, rng)
    order = rng.permutation(rows)
    return {name: _shuffled(again[name][:shared] + others[name], order) for name in COLUMNS}


def _people(rng: np.random.Generator, count: int) -> Columns:
    words = _vocabularies()
    days = rng.integers(0, _DAYS, count).tolist()
    columns = {
        "given_name": words["given_name"].drawn(rng, count),
        "surname": words["surname"].drawn(rng, count),
        "birth_date": [(_FIRST_DAY + datetime.timedelta(days=day)).isoformat() for day in days],
        **_addresses(rng, count),
    }
    for name, chance in _MISSING.items():
        for row in np.flatnonzero(rng.random(count) < chance).tolist():
            columns[name][row] = ""
    return columns


def _addresses(rng: np.random.Generator, count: int) -> Columns:
    words = _vocabularies()
    suburbs = words["suburb"].places(rng, count).tolist()
    return {
        "street_number": [str(1 + int(number)) for number in rng.exponential(60.0, count)],
        "street": [f"{name} street" for name in words["street"].drawn(rng, count)],
        "suburb": [words["suburb"].words[suburb] for suburb in suburbs],
        "postcode": [str(2000 + 5 * suburb) for suburb in suburbs],
    }


def _retype(columns: Columns, count: int, rng: np.random.Generator) -> None:
    """Let somebody else write down the first so many records."""
    new = _addresses(rng, count)
    for row in np.flatnonzero(rng.random(count) < _MOVED).tolist():
        for name, cells in new.items():
            columns[name][row] = cells[row]
    draw = random.Random(int(rng.integers(1 << 32)))
    for name, chance in _MISTAKES.items():
        for row in np.flatnonzero(rng.random(count) < chance).tolist():
            columns[name][row] = _mistyped(columns[name][row], draw)


def _mistyped(cell: str, draw: random.Random) -> str:
    """The cell with one sign dropped, doubled, changed for another of the cell, or swapped with its neighbour."""
    if len(cell) < 2:
        return cell
    place = draw.randrange(len(cell) - 1)
    here, after = cell[place], cell[place + 1]
    instead = draw.choice(("", here * 2, draw.choice(cell)))
    return cell[:place] + (after + here if draw.random() < 0.25 else instead + after) + cell[place + 2 :]


def _shuffled(cells: list[str], order: np.ndarray) -> list[str]:
    return [cells[place] for place in order.tolist()]
