"""The rivals: each prepares rows outside the clock and gives back the work that is timed, on one thread.

None of them is needed: a rival that is not installed is left out, and the reason is told.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import types
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from bitarray import bitarray

import hushlink_native
from benchmarks.kernel import encodings

Work = Callable[[], int]
"""Compares all rows and returns how many pairs it found."""

TILE_ROWS = 256, 1024
"""Left and right rows that NumKong compares at a time: their distances stay in the second-level cache."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rival:
    """A rival that can run here."""

    name: str
    version: str
    difference: str
    """In which way its work is less or other than the kernel's; empty where it is the same."""
    prepare: Callable[[encodings.Rows, encodings.Rows, float], Work]


def anonlink() -> types.ModuleType:
    """The peer. It imports pkg_resources, which warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("similarities", "solving"):
            importlib.import_module(f"anonlink.{module}")
        return importlib.import_module("anonlink")


def present() -> tuple[list[Rival], list[str]]:
    """The rivals that can run here, and for each other one a line that says why it can't."""
    rivals, absent = [], []
    for name, package, made, difference in _KNOWN:
        try:
            rivals.append(Rival(name, importlib.metadata.version(package), difference, made()))
        except (ImportError, AttributeError) as error:
            absent.append(f"{name} is left out: {type(error).__name__}: {error}")
    return rivals, absent


def radius(left: encodings.Rows, right: encodings.Rows, threshold: float) -> int:
    """The Hamming distance at which two rows with mean popcounts have this Dice similarity."""
    ones = hushlink_native.popcounts(left).mean() + hushlink_native.popcounts(right).mean()
    return int((1.0 - threshold) * ones)


def _anonlink() -> Callable[[encodings.Rows, encodings.Rows, float], Work]:
    similarities = anonlink().similarities

    def prepare(left: encodings.Rows, right: encodings.Rows, threshold: float) -> Work:
        bits = tuple([bitarray(buffer=row.tobytes()) for row in rows] for rows in (left, right))
        return lambda: len(similarities.dice_coefficient_accelerated(bits, threshold)[0])

    return prepare


def _faiss() -> Callable[[encodings.Rows, encodings.Rows, float], Work]:
    faiss = importlib.import_module("faiss")
    faiss.omp_set_num_threads(1)
    faiss.IndexBinaryFlat.range_search  # noqa: B018 - absent from releases before 1.6.3

    def prepare(left: encodings.Rows, right: encodings.Rows, threshold: float) -> Work:
        index = faiss.IndexBinaryFlat(8 * right.shape[1])
        index.add(right)
        below = radius(left, right, threshold) + 1  # it gives the distances below, not at, its radius
        return lambda: len(index.range_search(left, below)[1])

    return prepare


def _numkong() -> Callable[[encodings.Rows, encodings.Rows, float], Work]:
    numkong = importlib.import_module("numkong")
    pack, distances, zeros = numkong.hammings_pack, numkong.hammings_packed, numkong.zeros

    def prepare(left: encodings.Rows, right: encodings.Rows, _threshold: float) -> Work:
        lefts, rights = (_tiles(rows, size) for rows, size in zip((left, right), TILE_ROWS, strict=True))
        packs = [(len(rows), pack(rows, dtype="uint1")) for rows in rights]
        shapes = {(len(rows), width) for rows in lefts for width, _ in packs}
        outputs = {shape: zeros(shape, dtype="uint32") for shape in shapes}

        def work() -> int:
            for width, packed in packs:
                for rows in lefts:
                    distances(rows, packed, out=outputs[len(rows), width])
            return 0

        return work

    return prepare


def _tiles(rows: encodings.Rows, size: int) -> Sequence[encodings.Rows]:
    return [np.ascontiguousarray(rows[first : first + size]) for first in range(0, len(rows), size)]


_KNOWN = (
    ("anonlink", "anonlink", _anonlink, ""),
    (
        "faiss",
        "faiss-cpu",
        _faiss,
        "faiss finds the pairs within one Hamming distance, that of the threshold at mean popcounts: "
        "no Dice, no scores",
    ),
    (
        "NumKong",
        "numkong",
        _numkong,
        "NumKong writes every Hamming distance into a reused tile of "
        f"{TILE_ROWS[0]} x {TILE_ROWS[1]}: no threshold, no scores, no pairs picked",
    ),
)
