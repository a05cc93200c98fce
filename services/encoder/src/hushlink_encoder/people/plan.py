"""What files of invented people are wanted, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np
from numpy import typing as npt

from hushlink_encoder.people import draws, mistakes, population

TRUTH: Final = "person"
"""The column of the person's number: the same person has the same in every file."""
COLUMNS: Final = (
    *(TRUTH, "given_name", "surname", "sex", "date_of_birth", "house_number", "street", "town", "postcode", "phone"),
)
MOST_PEOPLE: Final = 1 << 48
BATCH_ROWS: Final = 8192
_MORE_ERRORS: Final = 3
"""A record with an error has another with a chance of one in so many, and so on."""
_MOST_ERRORS: Final = 4
_KINDS: Final = ("slip",) * 15 + ("move",) * 2 + ("exchange", "shorten", "marry")
_ADDRESS: Final = ("house_number", "street", "town", "postcode")


@dataclass(frozen=True, slots=True)
class Plan:
    """Linked files: which people are in them, and how well they are written down.

    Raises:
        ValueError: a value is out of its range; the message names it.
    """

    rows: int
    """Of each file."""
    files: int = 2
    overlap: float = 0.5
    """Share of each file's people who are in all files; the others are in that file alone."""
    errors: float = 0.2
    """Share of records in which something goes wrong; now and then it leaves no trace."""
    missing: float = 0.01
    """Share of cells that are empty."""
    seed: int = 0
    columns: tuple[str, ...] = COLUMNS

    def __post_init__(self) -> None:
        for name in ("overlap", "errors", "missing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1")
        if self.rows < 1 or self.files < 1 or self.rows * self.files > MOST_PEOPLE:
            raise ValueError("there is at least one file of one row, and no more than 2^48 rows")
        unknown = [column for column in self.columns if column not in COLUMNS]
        if unknown or not self.columns:
            raise ValueError(f"the columns are some of: {', '.join(COLUMNS)}")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("a column is named twice")

    @property
    def shared(self) -> int:
        """How many people are in all files."""
        return round(self.rows * self.overlap)

    def people(self, file: int, start: int, stop: int) -> draws.Numbers:
        """Whose records the rows from ``start`` to before ``stop`` of a file are."""
        order = draws.Permutation(self.rows, self.seed, f"order of file {file}")
        places = order.of(np.arange(start, stop, dtype=np.uint64))
        alone = np.uint64(file * (self.rows - self.shared))
        return np.where(places < np.uint64(self.shared), places, places + alone)

    def batches(self, file: int) -> Iterator[list[Sequence[str]]]:
        """The records of a file, as columns in the plan's order; some thousand rows at a time.

        Raises:
            ValueError: there is no such file.
        """
        if not 0 <= file < self.files:
            raise ValueError(f"there are {self.files} files, counted from 0")
        scribe = _Scribe(self, file)
        for start in range(0, self.rows, BATCH_ROWS):
            numbers = self.people(file, start, min(start + BATCH_ROWS, self.rows))
            cells = scribe.written(numbers)
            yield [cells[column] for column in self.columns]

    def write(self, stream: BinaryIO, file: int, on_rows: Callable[[int], None] = lambda _: None) -> None:
        """Write a file as CSV with a header: UTF-8, lines end with LF, no cell needs quotes."""
        stream.write((",".join(self.columns) + "\n").encode())
        rows = 0
        for columns in self.batches(file):
            lines: Iterable[str] = map(",".join, zip(*columns, strict=True))
            if len(columns) == 1:  # an empty line would be no record
                lines = (line or '""' for line in lines)
            stream.write(("\n".join(lines) + "\n").encode())
            rows += len(columns[0])
            on_rows(rows)


class _Scribe:
    """Writes people down for one file, with the errors that are due."""

    def __init__(self, plan: Plan, file: int) -> None:
        self._plan = plan
        self._population = population.Population(plan.seed)
        self._errors, self._kinds = (draws.base(plan.seed, f"{what} of file {file}") for what in ("errors", "kinds"))
        self._missing = {
            column: draws.base(plan.seed, f"missing {column} of file {file}") for column in COLUMNS if column != TRUTH
        }
        self._file = file

    def written(self, numbers: draws.Numbers) -> dict[str, list[str]]:
        """The records of some people, by column."""
        cells = {column: texts.tolist() for column, texts in self._population.people(numbers).items()}
        spoiled = np.flatnonzero(draws.happens(self._plan.errors, draws.drawn(self._errors, numbers)))
        self._spoil(cells, spoiled, numbers[spoiled])
        if self._plan.missing:
            for column, begin in self._missing.items():
                gone = draws.happens(self._plan.missing, draws.drawn(begin, numbers))
                for row in np.flatnonzero(gone).tolist():
                    cells[column][row] = ""
        cells[TRUTH] = list(map(str, numbers.tolist()))
        return cells

    def _spoil(self, cells: dict[str, list[str]], rows: npt.NDArray[np.intp], numbers: draws.Numbers) -> None:
        if not len(rows):
            return
        purpose = f"in file {self._file}"
        elsewhere = self._population.addresses(f"moved {purpose}", numbers)
        names = self._population.surnames("maiden", numbers)
        for place, (row, number) in enumerate(zip(rows.tolist(), numbers.tolist(), strict=True)):
            chance = draws.Stream(self._kinds, number)
            record = {column: texts[row] for column, texts in cells.items()}
            for _ in range(_MOST_ERRORS):
                match _KINDS[chance.below(len(_KINDS))]:
                    case "slip":
                        mistakes.slip(record, chance)
                    case "move":
                        record.update((column, elsewhere[column][place]) for column in _ADDRESS)
                    case "exchange":
                        mistakes.exchange(record, chance)
                    case "shorten":
                        mistakes.shorten(record, chance)
                    case _:  # by marriage, or back
                        record["surname"] = names[place] if record["sex"] == "f" else record["surname"]
                if chance.below(_MORE_ERRORS):
                    break
            for column, cell in record.items():
                cells[column][row] = cell
