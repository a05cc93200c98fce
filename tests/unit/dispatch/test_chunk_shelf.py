"""The chunk shelf: one reading for several that need a chunk, bounded, and nothing damaged leaves it."""

from __future__ import annotations

import asyncio

import pytest

from hushlink_coordinator.dispatch import chunk_shelf
from hushlink_domain import digests, errors
from tests.support import waiting

CHUNKS = {digests.Digest.of(data): data for data in (bytes([number]) * 100 for number in range(10))}
NAMES = list(CHUNKS)


class Source:
    """A source that answers when it is told to."""

    def __init__(self) -> None:
        self.reads: list[digests.Digest] = []
        self.at_once = self.most_at_once = 0
        self.answers = asyncio.Event()

    async def read(self, digest: digests.Digest) -> bytes:
        self.reads.append(digest)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.answers.wait()
        self.at_once -= 1
        return CHUNKS[digest]


async def test_several_that_need_a_chunk_cause_one_reading() -> None:
    shelf, source = chunk_shelf.ChunkShelf(1000), Source()
    readers = [asyncio.create_task(shelf.read(NAMES[0], source)) for _ in range(5)]
    source.answers.set()
    assert await asyncio.gather(*readers) == [CHUNKS[NAMES[0]]] * 5
    assert source.reads == [NAMES[0]]


async def test_keeps_those_last_used() -> None:
    shelf, source = chunk_shelf.ChunkShelf(300), Source()
    source.answers.set()
    for number in (0, 1, 2, 0, 3, 0, 1):
        await shelf.read(NAMES[number], source)
    assert source.reads == [NAMES[number] for number in (0, 1, 2, 3, 1)]


async def test_hands_on_what_it_has_no_room_for() -> None:
    shelf, source = chunk_shelf.ChunkShelf(99), Source()
    source.answers.set()
    for _ in range(2):
        assert await shelf.read(NAMES[0], source) == CHUNKS[NAMES[0]]
    assert len(source.reads) == 2


async def test_reads_only_so_many_at_a_time() -> None:
    shelf, source = chunk_shelf.ChunkShelf(1000), Source()
    readers = [asyncio.create_task(shelf.read(name, source)) for name in NAMES]
    await waiting.eventually("as many read as may", lambda: source.at_once == chunk_shelf.READS_AT_ONCE)
    source.answers.set()
    await asyncio.gather(*readers)
    assert source.most_at_once == chunk_shelf.READS_AT_ONCE < len(NAMES)


async def test_one_who_gives_up_leaves_the_others_their_chunk() -> None:
    shelf, source = chunk_shelf.ChunkShelf(1000), Source()
    first, second = (asyncio.create_task(shelf.read(NAMES[0], source)) for _ in range(2))
    await waiting.eventually("the first reads", lambda: source.reads)
    first.cancel()
    source.answers.set()
    assert await second == CHUNKS[NAMES[0]]


async def test_damaged_bytes_are_named_and_not_kept() -> None:
    class Damaged:
        async def read(self, digest: digests.Digest) -> bytes:
            return b"x" * 100

    shelf, source = chunk_shelf.ChunkShelf(1000), Source()
    with pytest.raises(errors.InternalError) as refused:
        await shelf.read(NAMES[0], Damaged())
    assert refused.value.facts == {"digest": NAMES[0].hex}
    source.answers.set()
    assert await shelf.read(NAMES[0], source) == CHUNKS[NAMES[0]]
