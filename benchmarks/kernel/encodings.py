"""Rows to compare: people through the encoder at several fills, and uniform random bits.

What was encoded is kept in a folder and used again, until the parameters or this code change.
"""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy import typing as npt

import hushlink_encoder
import hushlink_native
from benchmarks.kernel import people

WIDTH_BITS = 1024
FOLDER = pathlib.Path(".build/bench")

BITS_PER_FEATURE = {".25": 43, ".43": 85, ".50": 105, ".68": 176}
"""By about the fill they lead to; what is reached is measured and printed."""
RANDOM = "random"

_SECRET = b"the benchmark's secret"

Rows = npt.NDArray[np.uint8]


def schema(bits_per_feature: int) -> dict[str, object]:
    """A linkage schema of all columns, by bigrams, with so many bits set for each column."""
    hashing = {"comparison": {"type": "ngram", "n": 2}, "strategy": {"bitsPerFeature": bits_per_feature}}
    text = {"type": "string", "encoding": "utf-8"}
    return {
        "version": 3,
        "clkConfig": {"l": WIDTH_BITS, "kdf": {"type": "HKDF"}},
        "features": [{"identifier": name, "format": text, "hashing": hashing} for name in people.COLUMNS],
    }


def encoder(fill: str) -> hushlink_encoder.Encoder:
    """An encoder whose encodings have about this fill."""
    return hushlink_encoder.Encoder(schema(BITS_PER_FEATURE[fill]), _SECRET)


def slices(rows: int) -> Iterator[tuple[int, int, int]]:
    """The slices of a file: number, first row, rows. All but the last are whole."""
    for number, first in enumerate(range(0, rows, people.SLICE_ROWS)):
        yield number, first, min(people.SLICE_ROWS, rows - first)


def realistic(fill: str, left: int, right: int, folder: pathlib.Path = FOLDER) -> tuple[Rows, Rows]:
    """Encodings of two files of people; half of the second's are in the first file's first rows as well."""

    def made() -> tuple[Rows, Rows]:
        with encoder(fill) as engine:
            files = [(people.first_file, left), (people.second_file, right)]
            return _whole(engine, *files[0]), _whole(engine, *files[1])

    return _kept(folder, f"people {fill} {BITS_PER_FEATURE[fill]} {left} {right}", made)


def _whole(engine: hushlink_encoder.Encoder, file: Callable[[int, int], people.Columns], rows: int) -> Rows:
    return np.concatenate([engine.encode_columns(list(file(number, n).values())) for number, _, n in slices(rows)])


def random(left: int, right: int, seed: int = 1) -> tuple[Rows, Rows]:
    """Uniform random rows; every other of the second set is a copy of one of the first with a few bits changed."""
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(0, 256, (rows, WIDTH_BITS // 8), dtype=np.uint8) for rows in (left, right))
    shared = min(left, right) // 2
    noise = (rng.integers(0, 256, (shared, WIDTH_BITS // 8), dtype=np.uint8) for _ in range(5))
    second[: 2 * shared : 2] = first[:shared] ^ np.bitwise_and.reduce(list(noise))
    return first, second


def pair(fill: str, left: int, right: int, folder: pathlib.Path = FOLDER) -> tuple[Rows, Rows]:
    """Both sets at a fill of BITS_PER_FEATURE, or RANDOM ones."""
    return random(left, right) if fill == RANDOM else realistic(fill, left, right, folder)


def fill_of(*sets: Rows) -> float:
    """Share of the bits that are set."""
    return float(np.mean([hushlink_native.popcounts(rows).mean() / (8 * rows.shape[1]) for rows in sets]))


def _kept(folder: pathlib.Path, parameters: str, made: Callable[[], tuple[Rows, Rows]]) -> tuple[Rows, Rows]:
    """What was made with these parameters by this code before, else what is made now."""
    code = "".join(pathlib.Path(module).read_text(encoding="utf-8") for module in (__file__, people.__file__))
    digest = hashlib.sha256((parameters + code).encode()).hexdigest()[:16]
    path = folder / f"encodings-{digest}.npz"
    if path.exists():
        with np.load(path) as kept:
            return kept["left"], kept["right"]
    left, right = made()
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft.npz")
    np.savez(draft, left=left, right=right)
    draft.replace(path)
    return left, right
