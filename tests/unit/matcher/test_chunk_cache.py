"""The matcher's chunk cache, and the coordinator's idea of it, over any course of events."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushlink_coordinator.dispatch import held_chunks
from hushlink_domain import digests, errors
from hushlink_matcher import chunk_cache

SIZES = (10, 20, 30, 40)


def _digest(number: int) -> digests.Digest:
    return digests.Digest(bytes([number]) * digests.HASH_BYTES, SIZES[number % len(SIZES)])


def _put(cache: chunk_cache.ChunkCache, digest: digests.Digest) -> tuple[digests.Digest, ...]:
    if digest in cache:
        cache.touch(digest)
        return ()
    dropped = cache.reserve(digest.size_bytes)
    cache.put(chunk_cache.Chunk(digest, numpy.zeros(digest.size_bytes, dtype=numpy.uint8)))
    return dropped


def test_drops_the_least_recently_used_first() -> None:
    cache = chunk_cache.ChunkCache(60)
    for number in (0, 1, 2):
        assert _put(cache, _digest(number)) == ()
    cache.touch(_digest(0))
    assert _put(cache, _digest(4)) == (_digest(1),)
    assert _put(cache, _digest(3)) == (_digest(2),)
    assert _put(cache, _digest(7)) == (_digest(0), _digest(4), _digest(3))
    assert cache.used_bytes == 40


def test_keeps_what_is_pinned_and_refuses_what_does_not_fit_beside_it() -> None:
    cache = chunk_cache.ChunkCache(60)
    _put(cache, _digest(2))
    _put(cache, _digest(1))
    cache.pin([_digest(2)])
    with pytest.raises(errors.CallerError) as refused:
        cache.reserve(40)
    assert refused.value.reason is errors.Reason.LIMIT_EXCEEDED
    assert _digest(1) in cache, "a refusal drops nothing"
    assert cache.reserve(30) == (_digest(1),)
    cache.release(30)
    cache.unpin([_digest(2)])
    assert cache.reserve(60) == (_digest(2),)


def test_pins_all_or_nothing() -> None:
    cache = chunk_cache.ChunkCache(60)
    _put(cache, _digest(0))
    with pytest.raises(errors.StateError):
        cache.pin([_digest(0), _digest(1)])
    assert cache.reserve(60) == (_digest(0),)


def test_a_chunk_pinned_twice_is_unpinned_twice() -> None:
    cache = chunk_cache.ChunkCache(10)
    _put(cache, _digest(0))
    cache.pin([_digest(0)])
    cache.pin([_digest(0)])
    cache.unpin([_digest(0)])
    with pytest.raises(errors.CallerError):
        cache.reserve(1)
    cache.unpin([_digest(0)])
    assert cache.reserve(1) == (_digest(0),)


_TILES = st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=3), min_size=1, max_size=30)


@given(tiles=_TILES, ends=st.lists(st.booleans(), min_size=30, max_size=30))
def test_the_coordinator_knows_what_the_matcher_holds(tiles: list[set[int]], ends: list[bool]) -> None:
    """Whatever tiles follow one another, the chunks the coordinator sends are enough, and it never sends in vain."""
    capacity = 240  # two tiles of the largest chunks
    cache = chunk_cache.ChunkCache(capacity)
    model = held_chunks.HeldChunks(capacity)
    at_work: list[dict[bytes, digests.Digest]] = []
    for numbers, end in zip(tiles, ends, strict=False):
        needs = {_digest(number).hash: _digest(number) for number in sorted(numbers)}
        while at_work and (end or held_chunks.size_of({**needs, **at_work[0]}) > capacity or len(at_work) > 1):
            ended = at_work.pop(0)
            cache.unpin(ended.values())
            model.unpin(ended)
        for digest in model.to_send(needs):
            _put(cache, digest)
            model.sent(digest)
        cache.pin(needs.values())  # raises when one is missing
        model.pin(needs)
        at_work.append(needs)
        assert model.missing_bytes({_digest(n).hash: _digest(n) for n in range(12) if _digest(n) in cache}) == 0
        assert cache.used_bytes <= capacity


@given(tiles=_TILES)
def test_nothing_is_sent_twice_where_there_is_room_for_all(tiles: list[set[int]]) -> None:
    model = held_chunks.HeldChunks(1000)
    sent: list[digests.Digest] = []
    for numbers in tiles:
        for digest in model.to_send({_digest(number).hash: _digest(number) for number in numbers}):
            sent.append(digest)
            model.sent(digest)
    assert sorted(sent) == sorted({_digest(number) for numbers in tiles for number in numbers})


def test_a_held_chunk_in_danger_is_sent_again_before_the_others() -> None:
    model = held_chunks.HeldChunks(60, [_digest(2), _digest(1)])  # 30 + 20 of 60 bytes
    needs = {digest.hash: digest for digest in (_digest(2), _digest(5))}
    assert model.to_send(needs) == [_digest(2), _digest(5)]
    for digest in model.to_send(needs):
        model.sent(digest)
    assert model.missing_bytes(needs) == 0
    assert model.missing_bytes({_digest(1).hash: _digest(1)}) == 20


def test_a_notice_sets_the_idea_right() -> None:
    model = held_chunks.HeldChunks(60, [_digest(0), _digest(1)])
    model.dropped([_digest(0), _digest(7)])
    assert model.to_send({_digest(0).hash: _digest(0), _digest(1).hash: _digest(1)}) == [_digest(0)]
