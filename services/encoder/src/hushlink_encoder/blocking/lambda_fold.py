"""lambda-fold: samples of a record's bits, one for each table, say which blocks it is in."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy import typing as npt

from hushlink_domain import errors
from hushlink_encoder.blocking import block_keys, blocks, configuration, filters, grouping

_STEP_BYTES = 16 << 20
"""Single bits worked on at a time."""


class LambdaFoldBlocker:
    """Samples filters as they come, and makes blocks of the samples at the end.

    Memory grows with the number of rows: for each table as many bits as it samples.
    """

    def __init__(self, agreed: configuration.Configuration, names: block_keys.KeyedNames | None) -> None:
        if not isinstance(agreed.method, configuration.LambdaFold):
            raise TypeError("the configuration is not of lambda-fold")
        self._agreed = agreed
        self._method = agreed.method
        self._names = names
        self._filters = filters.BigramFilters(self._method.bits, self._method.hashes)
        self._drawn: tuple[int, npt.NDArray[np.intp]] | None = None
        self._samples: list[npt.NDArray[np.uint8]] = []

    def add(self, columns: Sequence[Sequence[str]]) -> None:
        """Take the next records, column by column.

        Raises:
            ValueError: the configuration wants encodings, or the columns differ in length.
        """
        if self._method.of_encodings:
            raise ValueError("the blocking configuration wants encodings, not records")
        wanted = [columns[column] for column in self._method.columns]
        grouping.checked_equal(wanted)
        for packed in self._filters.of(list(map("".join, zip(*wanted, strict=True)))):
            self._sample(packed, self._method.bits)

    def add_encodings(self, encodings: npt.NDArray[np.uint8]) -> None:
        """Take the next rows of packed bits.

        Raises:
            ValueError: the configuration wants records, or the rows differ in width from those before.
            hushlink_domain.errors.CallerError: more bits are sampled than a row has.
        """
        if not self._method.of_encodings:
            raise ValueError("the blocking configuration wants records, not encodings")
        self._sample(encodings, 8 * encodings.shape[1])

    def finish(self) -> blocks.Blocks:
        """The blocks of all rows, table by table.

        Raises:
            hushlink_domain.errors.CallerError: there is no row.
        """
        if not self._samples:
            raise errors.CallerError(errors.Reason.RECORDS_INVALID, "there is no record to make blocks of")
        # By tables, each of whose samples then lie together.
        samples = np.ascontiguousarray(np.concatenate(self._samples).transpose(1, 0, 2))
        self._samples.clear()
        keys: list[str] = []
        found: list[grouping.Groups] = []
        for table, of_rows in enumerate(samples):
            groups = _grouped(of_rows)
            found.append(groups)
            keys += self._keys(table, of_rows[groups.first_rows])
        rows = np.concatenate([groups.rows for groups in found])
        sizes = np.concatenate([groups.sizes for groups in found])
        return blocks.Blocks.made(self._agreed, samples.shape[1], keys, sizes, rows)

    def _sample(self, packed: npt.NDArray[np.uint8], bits: int) -> None:
        places = self._places(bits)
        step = max(1, _STEP_BYTES // max(bits, len(places)))
        for start in range(0, len(packed), step):
            unpacked = np.unpackbits(packed[start : start + step], axis=1, count=bits)
            taken = unpacked.take(places, axis=1).reshape(len(unpacked), self._method.tables, self._method.sample)
            self._samples.append(np.packbits(taken, axis=2))

    def _places(self, bits: int) -> npt.NDArray[np.intp]:
        """Which bits each table samples, one table behind the other: blocklib's, from Python's generator."""
        if self._drawn is None:
            if self._method.sample > bits:
                raise errors.CallerError(
                    errors.Reason.SCHEMA_INVALID,
                    f"the blocking configuration samples {self._method.sample} of {bits} bits: lower K",
                )
            draw = random.Random(self._method.seed)  # noqa: S311 - parties must draw the same
            drawn = [draw.sample(range(bits), self._method.sample) for _ in range(self._method.tables)]
            self._drawn = bits, np.array(drawn, np.intp).ravel()
        if self._drawn[0] != bits:
            raise ValueError("encodings of one dataset have one width")
        return self._drawn[1]

    def _keys(self, table: int, samples: npt.NDArray[np.uint8]) -> list[str]:
        if self._names is not None:
            return self._names.of_samples(table, samples)
        digits = np.unpackbits(samples, axis=1, count=self._method.sample) + np.uint8(ord("0"))
        text, width = digits.tobytes().decode("ascii"), digits.shape[1]
        return [f"{table}{text[start : start + width]}" for start in range(0, len(text), width)]


def _grouped(samples: npt.NDArray[np.uint8]) -> grouping.Groups:
    """Rows with equal samples; the samples are numbers of eight bytes, or several of them."""
    rows, width = samples.shape
    words = np.zeros((rows, -(-width // 8) * 8), np.uint8)
    words[:, -width:] = samples
    numbers = words.view(">u8").astype(np.uint64)
    if numbers.shape[1] == 1:
        return grouping.grouped(numbers[:, 0], np.arange(rows))
    order = np.lexsort(numbers.T[::-1])
    ordered = numbers[order]
    return grouping.cut(order.astype(np.int64), (ordered[1:] != ordered[:-1]).any(axis=1))
