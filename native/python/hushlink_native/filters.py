"""Bloom filters from text: the values of one column of records become bits, many rows at a time."""

import dataclasses
import threading
import weakref
from typing import Any, Final, Literal, TypeAlias

import numpy
import numpy.typing

from hushlink_native import _binding

Bytes: TypeAlias = numpy.typing.NDArray[numpy.uint8]
Counts: TypeAlias = numpy.typing.NDArray[numpy.uint32]

FILTER_BITS_MAX: int = _binding.lib.HL_FILTER_BITS_MAX
INSERTIONS_MAX: int = _binding.lib.HL_INSERTIONS_MAX
NGRAM_MAX: int = _binding.lib.HL_NGRAM_MAX

HASHES: Final[dict[str, int]] = {"blakeHash": _binding.lib.HL_BLAKE_HASH, "doubleHash": _binding.lib.HL_DOUBLE_HASH}
CODECS: Final[dict[str, int]] = {
    "ascii": _binding.lib.HL_ASCII,
    "utf-8": _binding.lib.HL_UTF8,
    "utf-16": _binding.lib.HL_UTF16,
    "utf-32": _binding.lib.HL_UTF32,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Tokens:
    """How the values of a column become tokens, and tokens bits."""

    filter_bits: int
    """Length of a filter before folding."""
    insertions: int
    """Bits that a token sets; or that the tokens of a value share, the first of them taking the odd ones."""
    per_value: bool
    """Are the insertions shared?"""
    ngram: int
    """Code points in a window over the value, padded by blanks; 0: each text is one token."""
    positional: bool = False
    """Is a window written behind its number, from 1, and a blank?"""
    encoding: Literal["ascii", "utf-8", "utf-16", "utf-32"] = "utf-8"
    """How tokens become bytes; UTF-16 and UTF-32 are little-endian behind a byte order mark."""
    hash: Literal["blakeHash", "doubleHash"] = "blakeHash"
    prevent_singularity: bool = False
    """doubleHash: is h2 never 0?"""


class FilterColumn:
    """One column with its keys and a bounded cache of what tokens became; `close` erases them.

    The memory is erased at the latest when the object is collected. `add` releases the GIL. Threads may share a
    column: they take turns.
    """

    def __init__(self, tokens: Tokens, first_key: bytes, second_key: bytes = b"", *, cache_entries: int = 0) -> None:
        """Begin a column.

        Args:
            tokens: what the column is.
            first_key: the key of blakeHash (1 to 64 bytes), or of doubleHash's HMAC-SHA1 (1 to 8160).
            second_key: the key of its HMAC-MD5, as long.
            cache_entries: most tokens that are remembered; they take filter_bits / 8 + 100 bytes each, once used.

        Raises ValueError for what the kernel does not take, KeyError for an unknown hash or encoding.
        """
        if tokens.hash == "doubleHash" and len(first_key) != len(second_key):
            raise ValueError("the keys of doubleHash differ in length")
        settings = _settings(tokens, len(first_key), cache_entries)
        keys = [_binding.ffi.from_buffer("uint8_t[]", key) for key in (first_key, second_key)]
        settings.first_key, settings.second_key = keys
        self._memory = _Memory(settings)
        self._row_bytes = (tokens.filter_bits + 7) // 8
        self._lock = threading.Lock()
        self._end = weakref.finalize(self, self._memory.end)

    @property
    def closed(self) -> bool:
        """Has `close` been called?"""
        return not self._end.alive

    def close(self) -> None:
        """Erase keys, cache and scratch; `add` is refused from now on. Waits for an `add` that is under way."""
        with self._lock:
            self._end()

    def add(
        self,
        points: bytes,
        lengths: Counts,
        filters: Bytes,
        *,
        rows: Counts | None = None,
        tokens: Counts | None = None,
    ) -> None:
        """OR the bits of values into filters.

        Args:
            points: the code points of all texts, one after the other, as UTF-32 in the machine's byte order
                without a mark.
            lengths: code points in each text.
            filters: the filters before folding, C-contiguous, one row each.
            rows: the filter of each value; None: value i is for filter i.
            tokens: how many texts each value has, none of them empty; None: each text is a value, and the empty
                one sets no bit. With ngram 0 only.

        Raises ValueError, with no filter changed, for arrays that do not fit together, for code points that the
        encoding can't write, and for a closed column; TypeError for arrays of another type.
        """
        if not isinstance(points, bytes) or len(points) % 4:
            raise TypeError("points must be bytes, four for each code point")
        _check_filters(filters, self._row_bytes)
        values = _binding.ffi.new("hl_values *")
        values.points = _binding.ffi.from_buffer("uint32_t[]", points)
        values.point_count = len(points) // 4
        values.lengths = _binding.pointer(_counts("lengths", lengths))
        values.text_count = len(lengths)
        values.value_count = len(lengths)
        if tokens is not None:
            values.token_counts = _binding.pointer(_counts("tokens", tokens))
            values.value_count = len(tokens)
        if rows is not None:
            values.rows = _binding.pointer(_counts("rows", rows))
            if len(rows) != values.value_count:
                raise ValueError(f"{len(rows)} rows for {values.value_count} values")
        with self._lock:
            if self.closed:
                raise ValueError("the column is closed")
            self._memory.add(values, filters, int(lengths.max(initial=0)))


class _Memory:
    """What the kernel keeps of a column, in memory that is ours: the column, and scratch as large as its texts ask."""

    def __init__(self, settings: Any) -> None:
        size = _binding.lib.hl_column_size(settings)
        self.column = numpy.zeros(size, dtype=numpy.uint8)
        self.scratch = numpy.zeros(0, dtype=numpy.uint8)
        self._pointer = _binding.pointer(self.column, writable=True)
        _binding.check(_binding.lib.hl_column_begin(self._pointer, size, settings), "column")

    def add(self, values: Any, filters: Bytes, longest: int) -> None:
        needed = _binding.lib.hl_column_scratch(self._pointer, longest)
        if needed > len(self.scratch):
            self._forget_scratch()
            self.scratch = numpy.zeros(needed, dtype=numpy.uint8)
        out, scratch = _binding.pointer(filters, writable=True), _binding.pointer(self.scratch, writable=True)
        status = _binding.lib.hl_column_add(self._pointer, values, out, len(filters), scratch, len(self.scratch))
        _binding.check(status, "values")

    def end(self) -> None:
        _binding.lib.hl_column_end(self._pointer)
        self._forget_scratch()

    def _forget_scratch(self) -> None:
        _binding.lib.hl_forget(_binding.pointer(self.scratch, writable=True), len(self.scratch))


def _settings(tokens: Tokens, key_bytes: int, cache_entries: int) -> Any:
    """hl_column_settings without the keys."""
    for name, value, most in (
        ("filter_bits", tokens.filter_bits, FILTER_BITS_MAX),
        ("insertions", tokens.insertions, INSERTIONS_MAX),
        ("ngram", tokens.ngram, NGRAM_MAX),
        ("cache_entries", cache_entries, 1 << 31),
    ):
        least = name in ("filter_bits", "insertions")
        if not least <= value <= most:
            raise ValueError(f"{name} must be in {int(least)} .. {most}, not {value}")
    settings = _binding.ffi.new("hl_column_settings *")
    settings.key_bytes = key_bytes
    settings.filter_bits = tokens.filter_bits
    settings.insertions = tokens.insertions
    settings.ngram = tokens.ngram
    settings.cache_entries = cache_entries
    settings.hashing = HASHES[tokens.hash]
    settings.codec = CODECS[tokens.encoding]
    settings.positional = tokens.positional
    settings.per_value = tokens.per_value
    settings.prevent_singularity = tokens.prevent_singularity
    return settings


def _check_filters(filters: Bytes, row_bytes: int) -> None:
    if not isinstance(filters, numpy.ndarray) or filters.dtype != numpy.uint8:
        raise TypeError("filters must be a uint8 array")
    if filters.ndim != 2 or filters.shape[1] != row_bytes or not filters.flags.c_contiguous:
        raise ValueError(f"filters must be C-contiguous rows of {row_bytes} bytes")


def _counts(name: str, counts: Counts) -> Counts:
    if not isinstance(counts, numpy.ndarray) or counts.dtype != numpy.uint32:
        raise TypeError(f"{name} must be a uint32 array")
    if counts.ndim != 1 or not counts.flags.c_contiguous:
        raise ValueError(f"{name} must be one contiguous column")
    return counts


def keyed_blake2b(message: bytes, key: bytes, salt: bytes) -> bytes:
    """BLAKE2b as the kernel computes it: 64 bytes; message of 1 byte or more, key of 1 to 64, salt of 16."""
    if len(salt) != 16:
        raise ValueError(f"a salt has 16 bytes, not {len(salt)}")
    digest = _binding.ffi.new("uint8_t[64]")
    _binding.check(_binding.lib.hl_blake2b(key, len(key), salt, message, len(message), digest), "BLAKE2b")
    return bytes(_binding.ffi.buffer(digest))


def hmac(message: bytes, key: bytes, name: Literal["sha1", "md5"]) -> bytes:
    """HMAC as the kernel computes it, with a key of 1 byte or more."""
    size = {"sha1": 20, "md5": 16}[name]
    digest = _binding.ffi.new("uint8_t[20]")
    _binding.check(_binding.lib.hl_hmac(name == "sha1", key, len(key), message, len(message), digest), "HMAC")
    return bytes(_binding.ffi.buffer(digest, size))
