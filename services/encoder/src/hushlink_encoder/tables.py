"""Records from Parquet and Arrow files: columns by name, in batches, in memory that does not grow with the file.

Cells become text where there is one way only: text as it is, whole numbers in decimal digits, dates by the column's
template in the schema, else as YYYY-MM-DD. A missing value is an empty cell. Columns that the schema does not encode
are not read at all.
"""

from __future__ import annotations

import contextlib
import datetime
import enum
import importlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from hushlink_domain import schema
from hushlink_encoder import faults, headers, records

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
Texts: TypeAlias = "Callable[[pa.Array], list[str | None]]"
"""Turns a column into text; None for a cell that is no UTF-8."""

ISO_TEMPLATE: Final = "%Y-%m-%d"
READ_BYTES: Final = 1 << 20
"""Bytes of a Parquet column that are read at a time."""

BINARY_TYPES: Final = {"string": "binary", "large_string": "large_binary", "string_view": "binary_view"}


class Form(enum.StrEnum):
    """What kind of file the records are in."""

    PARQUET = "parquet"
    ARROW = "arrow"
    """Arrow's file form, also called IPC file or Feather version 2."""


class TableReader:
    """Reads one Parquet or Arrow file as record batches; every iteration reads it from the start.

    Args:
        source: path of the file.
        agreed: the schema, whose columns are found by their names; further ones are read over.
        form: what kind of file it is.
        batch_rows: most records in a batch.
        max_cell: longest cell, in characters.
        keep_going: whether a row that is at fault alone is told with its batch.

    Iterating raises `InvalidRecords` as `records.CsvReader` does.
    """

    def __init__(
        self,
        source: str | pathlib.Path,
        agreed: schema.LinkageSchema,
        form: Form,
        *,
        batch_rows: int = records.BATCH_ROWS,
        max_cell: int = records.CELL_CHARACTERS,
        keep_going: bool = False,
    ) -> None:
        if batch_rows < 1 or max_cell < 1:
            raise ValueError("batch_rows and max_cell are at least 1")
        self.name = str(source)
        self._path = pathlib.Path(source)
        self._identifiers = agreed.identifiers
        self._features = {feature.identifier: feature for _, feature in agreed.features()}
        self._form = form
        self._batch_rows = batch_rows
        self._max_cell = max_cell
        self._keep_going = keep_going

    def __iter__(self) -> Iterator[records.RecordBatch]:
        with contextlib.ExitStack() as stack:
            opened, row_count, batches = self._opened(stack)
            texts = self._soundly(self._columns, opened)
            first_row = 0
            while (batch := self._soundly(next, batches, None)) is not None:
                for start in range(0, batch.num_rows, self._batch_rows):
                    part = batch.slice(start, self._batch_rows)
                    yield self._converted(part, texts, first_row, row_count)
                    first_row += part.num_rows

    def _opened(self, stack: contextlib.ExitStack) -> tuple[pa.Schema, int | None, Iterator[pa.RecordBatch]]:
        """The file's columns, its number of rows where that is cheap to know, and its batches."""
        try:
            self._path.open("rb").close()
            cause = ""
        except OSError as fault:
            cause = fault.strerror or type(fault).__name__
        if cause:
            raise self._refusal(faults.RecordFault(faults.Kind.UNREADABLE, note=cause))
        return self._soundly(self._parquet if self._form is Form.PARQUET else self._arrow, stack)

    def _parquet(self, stack: contextlib.ExitStack) -> tuple[pa.Schema, int | None, Iterator[pa.RecordBatch]]:
        parquet = importlib.import_module("pyarrow.parquet")
        file = stack.enter_context(parquet.ParquetFile(self._path, pre_buffer=False, buffer_size=READ_BYTES))
        wanted = [name for name in dict.fromkeys(file.schema_arrow.names) if name in self._features]
        batches = file.iter_batches(batch_size=self._batch_rows, columns=wanted, use_threads=False)
        return file.schema_arrow, file.metadata.num_rows, batches

    def _arrow(self, stack: contextlib.ExitStack) -> tuple[pa.Schema, int | None, Iterator[pa.RecordBatch]]:
        arrow = importlib.import_module("pyarrow")
        # Mapped: a file may be one batch of any size.
        reader = stack.enter_context(arrow.ipc.open_file(stack.enter_context(arrow.memory_map(str(self._path)))))
        return reader.schema, None, (reader.get_batch(number) for number in range(reader.num_record_batches))

    def _columns(self, found: pa.Schema) -> dict[str, Texts]:
        """How the cells of each column become text."""
        if fault := headers.misnamed(tuple(self._features), found.names):
            raise self._refusal(fault)
        texts = {}
        for identifier, feature in self._features.items():
            column_type = found.field(identifier).type
            text = _text(column_type, feature)
            if text is None:
                note = f"it is {column_type}: write the column as text, whole numbers or dates"
                raise self._refusal(faults.RecordFault(faults.Kind.COLUMN_TYPE, column=identifier, note=note))
            texts[identifier] = text
        return texts

    def _converted(
        self,
        batch: pa.RecordBatch,
        texts: dict[str, Texts],
        first_row: int,
        row_count: int | None,
    ) -> records.RecordBatch:
        found: list[faults.RecordFault] = []
        columns: list[tuple[str, ...]] = []
        for identifier in self._identifiers:
            if identifier not in texts:
                columns.append(())
                continue
            cells = self._soundly(texts[identifier], batch.column(identifier))
            columns.append(tuple(self._checked(cells, identifier, first_row, found)))
        found.sort(key=lambda fault: fault.row or 0)
        if found and not self._keep_going:
            raise self._refusal(found[0])
        fraction = (first_row + batch.num_rows) / row_count if row_count else None
        return records.RecordBatch(self.name, first_row, tuple(columns), tuple(found), fraction)

    def _checked(
        self, cells: Sequence[str | None], identifier: str, first_row: int, found: list[faults.RecordFault]
    ) -> Iterator[str]:
        """The cells, empty ones in the place of those that cannot be taken; what is wrong is added to ``found``."""
        for row, cell in enumerate(cells, first_row):
            if cell is None:
                found.append(faults.RecordFault(faults.Kind.NOT_UTF8, row, identifier))
                yield ""
            elif len(cell) > self._max_cell:
                note = f"the limit is {self._max_cell} characters"
                found.append(faults.RecordFault(faults.Kind.OVERSIZE, row, identifier, note=note))
                yield ""
            else:
                yield cell

    def _soundly(self, work: Callable[..., T], *arguments: object) -> T:
        """Work with the file; what the library says of one that is none becomes a fault, for its texts may quote it."""
        arrow = importlib.import_module("pyarrow")
        try:
            return work(*arguments)
        except (arrow.ArrowException, ValueError, OSError, ArithmeticError, LookupError, MemoryError, TypeError):
            pass
        raise self._refusal(faults.RecordFault(faults.Kind.NOT_TABLE, note=f"it is read as {self._form.value}"))

    def _refusal(self, fault: faults.RecordFault) -> faults.InvalidRecords:
        return faults.InvalidRecords([fault], self.name)


def _text(column_type: pa.DataType, feature: schema.Feature) -> Texts | None:
    """The function that turns a column into text, None for a type that has none.

    It gives None for a cell that is no UTF-8.
    """
    types: Any = importlib.import_module("pyarrow.types")
    if types.is_dictionary(column_type):
        within = _text(column_type.value_type, feature)
        return None if within is None else lambda column: within(_decoded_dictionary(column))
    if str(column_type) in BINARY_TYPES:
        return _as_it_is
    if types.is_integer(column_type):
        return lambda column: ["" if cell is None else str(cell) for cell in column.to_pylist()]
    if types.is_date(column_type):
        template = feature.format.template if isinstance(feature.format, schema.DateFormat) else ISO_TEMPLATE
        return lambda column: [_date(cell, template) for cell in column.to_pylist()]
    if types.is_null(column_type):
        return lambda column: [""] * len(column)
    return None


def _decoded_dictionary(column: pa.DictionaryArray) -> pa.Array:
    column.validate(full=True)
    return column.dictionary_decode()


def _as_it_is(column: pa.Array) -> list[str | None]:
    # Offsets of a hostile file may point anywhere; text that is no UTF-8 is told cell by cell.
    raw = column.view(BINARY_TYPES[str(column.type)])
    raw.validate(full=True)
    try:
        return [cell or "" for cell in column.to_pylist()]
    except UnicodeDecodeError:
        return [_decoded(cell) for cell in raw.to_pylist()]


def _decoded(cell: bytes | None) -> str | None:
    try:
        return (cell or b"").decode()
    except UnicodeDecodeError:
        return None


def _date(cell: datetime.date | None, template: str) -> str:
    if cell is None:
        return ""
    # strftime writes years before 1000 with fewer digits on some systems, and no template reads those.
    return cell.strftime(template.replace("%Y", f"{cell.year:04}"))
