"""Filters from text: every bit as the definition in Python says, whatever is remembered, and nothing left behind."""

import gc
import hashlib
import hmac
import os
import random
import threading
import weakref
from typing import Any

import numpy
import pytest

import hushlink_native
from tests.support import encoding_by_definition as definition

HASHED = int(os.environ.get("HUSHLINK_HASHED_MESSAGES", "10000"))
"""Random messages through each of the hashes."""
KEYS = (bytes(range(64)), bytes(range(64, 128)))
ALPHABET = "aab -0é\u07ff\u0800日\uffff\U00010000\U0010ffff"


def tokens(**changes: Any) -> hushlink_native.Tokens:
    return hushlink_native.Tokens(**{"filter_bits": 128, "insertions": 5, "per_value": False, "ngram": 2} | changes)


def column(agreed: hushlink_native.Tokens, cache: int = 100) -> hushlink_native.FilterColumn:
    return hushlink_native.FilterColumn(agreed, *KEYS, cache_entries=cache)


def texts(values: list[str]) -> tuple[bytes, Any]:
    lengths = numpy.array([len(value) for value in values], dtype=numpy.uint32)
    return numpy.array([ord(point) for value in values for point in value], dtype=numpy.uint32).tobytes(), lengths


def empty(agreed: hushlink_native.Tokens, count: int) -> Any:
    return numpy.zeros((count, (agreed.filter_bits + 7) // 8), dtype=numpy.uint8)


def filled(subject: hushlink_native.FilterColumn, agreed: hushlink_native.Tokens, values: list[str]) -> Any:
    filters = empty(agreed, len(values))
    subject.add(*texts(values), filters)
    return filters


def test_blake2b_is_hashlibs() -> None:
    drawn = random.Random(1)
    for _ in range(HASHED):
        message = drawn.randbytes(drawn.choice([1, 8, 64, 127, 128, 129, 256, 257, drawn.randint(1, 700)]))
        key, salt = drawn.randbytes(drawn.randint(1, 64)), drawn.randbytes(16)
        expected = hashlib.blake2b(message, key=key, salt=salt).digest()
        assert hushlink_native.keyed_blake2b(message, key, salt) == expected


@pytest.mark.parametrize("name", ["sha1", "md5"])
def test_hmac_is_hashlibs(name: Any) -> None:
    drawn = random.Random(2)
    for _ in range(HASHED):
        message = drawn.randbytes(drawn.choice([0, 1, 54, 55, 56, 63, 64, 65, 119, 120, drawn.randint(0, 700)]))
        key = drawn.randbytes(drawn.choice([1, 63, 64, 65, drawn.randint(1, 300)]))
        assert hushlink_native.hmac(message, key, name) == hmac.digest(key, message, name)


def random_tokens(drawn: random.Random) -> hushlink_native.Tokens:
    blake = drawn.random() < 0.5
    bits = 1 << drawn.randint(1, 16) if blake else drawn.choice([2, 3, 7, 64, 100, 1024, 4099, 40_000])
    ngram = drawn.choice([0, 1, 2, 2, 3, 9])
    return tokens(
        filter_bits=bits,
        insertions=drawn.choice([1, 3, 20, 32, 33, 200, 700]),
        per_value=drawn.random() < 0.5,
        ngram=ngram,
        positional=bool(ngram) and drawn.random() < 0.5,
        encoding=drawn.choice(["ascii", "utf-8", "utf-16", "utf-32"]),
        hash="blakeHash" if blake else "doubleHash",
        prevent_singularity=not blake and drawn.random() < 0.6,
    )


@pytest.mark.parametrize("seed", range(60))
def test_every_bit_is_that_of_the_definition(seed: int) -> None:
    drawn = random.Random(seed)
    agreed = random_tokens(drawn)
    letters = "ab -0" if agreed.encoding == "ascii" else ALPHABET
    lengths = [0, 1, 2, 7, 8, 9, 15, drawn.randint(16, 140)]
    values = ["".join(drawn.choices(letters, k=length)) for length in lengths]
    cut = [definition.tokens(value, agreed.ngram, positional=agreed.positional) for value in values]
    expected = definition.filters(cut, agreed, KEYS)
    for cache in (0, 1, 9, 5000):
        subject = column(agreed, cache)
        assert (filled(subject, agreed, values) == expected).all(), (agreed, cache)
        assert (filled(subject, agreed, values[::-1]) == expected[::-1]).all(), (agreed, cache)


def test_a_cache_that_is_full_many_times_over() -> None:
    drawn = random.Random(3)
    agreed = tokens(per_value=True, insertions=40)
    values = ["".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=drawn.randint(1, 20))) for _ in range(3000)]
    remembering, forgetting = column(agreed, 61), column(agreed, 0)
    assert (filled(remembering, agreed, values) == filled(forgetting, agreed, values)).all()


def test_values_for_chosen_rows_and_values_that_are_cut_already() -> None:
    agreed = tokens(ngram=0, per_value=True, insertions=7)
    cut = [["one", "two", "one"], [], ["three"]]
    filters = empty(agreed, 5)
    counts, rows = numpy.array([3, 0, 1], dtype=numpy.uint32), numpy.array([4, 0, 2], dtype=numpy.uint32)
    flat = [token for value in cut for token in value]
    column(agreed).add(*texts(flat), filters, rows=rows, tokens=counts)
    assert (filters[[4, 0, 2]] == definition.filters(cut, agreed, KEYS)).all()
    assert not filters[[0, 1, 3]].any()


def test_bits_are_added_to_those_that_are_there() -> None:
    agreed = tokens()
    filters = numpy.full((1, 16), 0x11, dtype=numpy.uint8)
    column(agreed).add(*texts(["anna"]), filters)
    assert (filters == (definition.filters([definition.tokens("anna", 2)], agreed, KEYS) | 0x11)).all()


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"filter_bits": 0}, "filter_bits"),
        ({"filter_bits": (1 << 24) + 1}, "filter_bits"),
        ({"insertions": 0}, "insertions"),
        ({"ngram": 257}, "ngram"),
        ({"ngram": -1}, "ngram"),
        ({"ngram": 0, "positional": True}, "refused"),
        ({"filter_bits": 1, "hash": "doubleHash", "prevent_singularity": True}, "refused"),
    ],
)
def test_settings_that_are_refused(changes: dict[str, Any], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        column(tokens(**changes))


def test_keys_that_are_refused() -> None:
    for first, second, hashing in ((b"", b"", "blakeHash"), (bytes(65), b"", "blakeHash"), (b"a", b"", "doubleHash")):
        with pytest.raises(ValueError, match=r"key|refused"):
            hushlink_native.FilterColumn(tokens(hash=hashing), first, second)


def refused(agreed: hushlink_native.Tokens, points: list[int], lengths: list[int], **others: Any) -> None:
    """Refused by the kernel, and no bit was set although the first value is good."""
    filters = empty(agreed, 3)
    data = numpy.array([ord("a"), *points], dtype=numpy.uint32).tobytes()
    with pytest.raises(ValueError, match="refused"):
        column(agreed).add(data, numpy.array([1, *lengths], dtype=numpy.uint32), filters, **others)
    assert not filters.any()


def test_values_that_are_refused() -> None:
    refused(tokens(encoding="ascii"), [0x80], [1])
    for point in (0xD800, 0xDFFF, 0x110000, 0xFFFFFFFF):
        refused(tokens(), [point], [1])
    refused(tokens(), [97], [2])
    refused(tokens(), [97, 97], [1])
    refused(tokens(), [97], [(1 << 28) + 1])
    refused(tokens(), [97, 97, 97], [1, 1, 1])
    counts = numpy.array([1, 1], dtype=numpy.uint32)
    refused(tokens(), [97], [1], tokens=counts)
    refused(tokens(ngram=0), [97], [1, 0], tokens=numpy.array([1, 2], dtype=numpy.uint32))
    refused(tokens(ngram=0), [97, 97], [1, 1], tokens=counts)
    refused(tokens(), [97], [1], rows=numpy.array([0, 3], dtype=numpy.uint32))


def test_arrays_that_do_not_fit() -> None:
    agreed, subject = tokens(), column(tokens())
    points, lengths = texts(["a"])
    with pytest.raises(TypeError, match="lengths"):
        subject.add(points, lengths.astype(numpy.int64), empty(agreed, 1))
    for wrong in (points[:3], memoryview(points), "aaaa"):
        with pytest.raises(TypeError, match="points"):
            subject.add(wrong, lengths, empty(agreed, 1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="filters"):
        subject.add(points, lengths, empty(agreed, 1).astype(numpy.int8))
    with pytest.raises(ValueError, match="16 bytes"):
        subject.add(points, lengths, numpy.zeros((1, 15), dtype=numpy.uint8))
    with pytest.raises(ValueError, match="rows"):
        subject.add(points, lengths, empty(agreed, 1), rows=numpy.zeros(2, dtype=numpy.uint32))


@pytest.mark.parametrize("hashing", ["blakeHash", "doubleHash"])
def test_a_closed_column_has_left_nothing_behind(hashing: Any) -> None:
    agreed = tokens(hash=hashing, filter_bits=1024)
    subject = column(agreed)
    filled(subject, agreed, [f"canary {number}" for number in range(500)])
    memory, scratch = subject._memory.column, subject._memory.scratch
    assert memory.any() and scratch.any()
    subject.close()
    subject.close()
    assert subject.closed and not memory.any() and not scratch.any()
    with pytest.raises(ValueError, match="closed"):
        filled(subject, agreed, ["a"])


def test_a_column_that_nobody_closes_is_erased_when_it_is_collected() -> None:
    agreed = tokens()
    subject = column(agreed)
    filled(subject, agreed, ["canary"])
    memory, gone = subject._memory.column, weakref.ref(subject)
    del subject
    gc.collect()
    assert gone() is None and not memory.any()


def test_threads_take_turns() -> None:
    agreed = tokens()
    subject = column(agreed, 7)
    values = [f"{number} of many" for number in range(2000)]
    expected = filled(column(agreed), agreed, values)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(filled(subject, agreed, values))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all((filters == expected).all() for filters in found)
