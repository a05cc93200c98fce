"""A comparison: the tiles of one run, from waiting to answered, whoever works on them."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Protocol

from hushlink_coordinator.dispatch import chunk_shelf, frames, held_chunks, meters, pair_intake
from hushlink_domain import errors, tiles

logger = logging.getLogger(__name__)

WINDOW = 128
"""How many waiting tiles are looked at to find the one that suits a matcher best."""

STORE_SECONDS = 3.0
"""How long the sink may take to finish what it was given when a comparison is given up."""

UNREAD_ANSWERS = 1024
"""With so many answers that nobody took yet, no more tiles are given out."""


class PairSink(Protocol):
    """Where pairs rest."""

    async def store(self, tile: tiles.Tile, run: int, scores: bytes, left_rows: bytes, right_rows: bytes) -> None:
        """Keep one whole sorted run of a tile: columns of 64-bit doubles and twice unsigned 32-bit integers, all
        little-endian, rows counted from 0 in the tile's sides. A run may be stored again: the last bytes count.
        """
        ...


class Worker(Protocol):
    """A matcher, as a comparison sees it."""

    matcher_id: str
    """Its name."""

    def drop(self, copy: Copy) -> None:
        """Have it stop working on something."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class _Stored:
    """A run that is in the sink."""

    crc32c: int
    pairs: int
    worker: Worker
    """Who sent it."""


@dataclasses.dataclass(slots=True, eq=False)
class OpenTile:
    """A tile that is not answered yet."""

    tile: tiles.Tile
    needs: held_chunks.Needs
    """Its chunks."""
    copies: list[Copy] = dataclasses.field(default_factory=list)
    """Who works on it."""
    waiting: bool = True
    """Whether it is in the queue; it may be although somebody works on it, who is late."""
    attempts: int = 0
    """How often it failed."""
    avoided: dict[str, float] = dataclasses.field(default_factory=dict)
    """Matchers that failed at it, and until when they are not asked again, in the event loop's time; even then only
    where all others have failed, too.
    """
    comparisons: int = 0
    """The furthest that anybody got."""
    stored: dict[int, _Stored] = dataclasses.field(default_factory=dict)
    storing: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)
    unfit_since: float | None = None
    """Since when no connected matcher could ever take it."""


@dataclasses.dataclass(slots=True, eq=False)
class Copy:
    """A tile in the hands of one matcher."""

    comparison: Comparison
    open_tile: OpenTile
    worker: Worker
    number: int
    """The assignment's number on the matcher's stream."""
    intake: pair_intake.PairIntake
    since: float
    """When the matcher could begin with it, in the event loop's time."""
    advanced: float
    """When it last advanced."""
    comparisons: int = 0
    late: bool = False
    """Whether the tile was given to others because of this copy."""
    ended: bool = False
    """Whether nobody waits for it any more."""
    last_store: asyncio.Task[None] | None = None

    @property
    def tile(self) -> tiles.Tile:
        """What is compared."""
        return self.open_tile.tile


class Comparison:
    """One run's tiles. Everything here happens on one event loop; ``changed`` is called when tiles can be given out."""

    def __init__(
        self,
        plan: Iterable[tiles.Tile],
        comparing: tiles.Comparing,
        source: chunk_shelf.ChunkSource,
        sink: PairSink,
        on_progress: Callable[[int], None],
        changed: Callable[[], None],
        attempts: int,
    ) -> None:
        self.comparing = comparing
        self.source = source
        self.copies_at_work = 0
        """How many tiles matchers have of it, copies included."""
        self._plan: Iterator[tiles.Tile] | None = iter(plan)
        self._sink = sink
        self._on_progress = on_progress
        self._changed = changed
        self._attempts = attempts
        self._open: dict[int, OpenTile] = {}
        self._waiting: collections.deque[OpenTile] = collections.deque()
        self._answers: asyncio.Queue[tiles.TileAnswer | None] = asyncio.Queue()
        self._stores: set[asyncio.Task[None]] = set()
        self._comparisons = 0
        self._error: BaseException | None = None
        self._closed = False

    # ---- for who asked ----

    async def answers(self) -> AsyncIterator[tiles.TileAnswer]:
        """Each tile's answer, in the order of completion.

        Raises:
            Exception: what made the comparison fail.
        """
        while not self._exhausted():
            answer = await self._answers.get()
            if self._error is not None:
                raise self._error
            if answer is not None:
                if self._answers.qsize() == UNREAD_ANSWERS - 1:
                    self._changed()
                yield answer

    async def close(self) -> None:
        """Let go of every tile; returns when nothing of it runs any more.

        What is on its way into the sink may finish, so that whoever deletes it afterwards finds it: bytes that were
        sent to a store can't be called back.
        """
        self._closed = True
        self._waiting.clear()
        for open_tile in self._open.values():
            for copy in list(open_tile.copies):
                self._let_go(copy, "cancelled")
        self._open.clear()
        stores = list(self._stores)
        if stores:
            await asyncio.wait(stores, timeout=STORE_SECONDS)
        for store in stores:
            store.cancel()
        await asyncio.gather(*stores, return_exceptions=True)

    def fail(self, error: BaseException) -> None:
        """End it with an error; the first one counts."""
        if self._error is None:
            self._error = error
            self._waiting.clear()
            self._answers.put_nowait(None)

    # ---- for who gives tiles to matchers ----

    def waiting(self) -> Iterator[OpenTile]:
        """The next tiles that wait, in order, at most ``WINDOW``."""
        if self._answers.qsize() < UNREAD_ANSWERS and self._error is None and not self._closed:
            self._refill()
            yield from self._waiting

    def at_work(self) -> Iterator[Copy]:
        """Every copy of a tile in a matcher's hands."""
        for open_tile in self._open.values():
            yield from open_tile.copies

    def give(self, open_tile: OpenTile, worker: Worker, number: int) -> Copy:
        """Note that a matcher gets a tile, which waits no longer."""
        now = asyncio.get_running_loop().time()
        intake = pair_intake.PairIntake(open_tile.tile, self.comparing)
        copy = Copy(self, open_tile, worker, number, intake, since=now, advanced=now)
        open_tile.copies.append(copy)
        self.copies_at_work += 1
        if open_tile.waiting:
            open_tile.waiting = False
            self._waiting.remove(open_tile)
        return copy

    def move(self, copy: Copy) -> None:
        """Take a tile back from a matcher that has not begun with it; it is to be given to another at once."""
        self._let_go(copy, "moved")

    def wait_again(self, open_tile: OpenTile) -> None:
        """Have a tile given to another matcher as well, before all others."""
        if not open_tile.waiting and not self._closed and self._error is None:
            open_tile.waiting = True
            self._waiting.appendleft(open_tile)
            self._changed()

    def wait_no_more(self, open_tile: OpenTile) -> None:
        """Who was late with a tile is back: leave it to them, unless another has it by now."""
        if open_tile.waiting:
            open_tile.waiting = False
            self._waiting.remove(open_tile)

    # ---- for matchers ----

    def advanced(self, copy: Copy, comparisons: int) -> None:
        """A matcher got so far with a tile."""
        if comparisons <= copy.comparisons:
            return
        copy.comparisons = comparisons
        copy.advanced = asyncio.get_running_loop().time()
        self._count(copy.open_tile, min(comparisons, copy.tile.comparisons))

    def store(self, copy: Copy, run: pair_intake.SortedRun, stored: Callable[[], None]) -> None:
        """Bring a run to the sink, after the tile's earlier ones; ``stored`` is called when that is over."""
        task = self._side_task(f"store tile {copy.tile.index}", self._store(copy, run))
        task.add_done_callback(lambda _: stored())
        copy.last_store = task

    def done(self, copy: Copy, done: frames.Done) -> None:
        """A matcher has finished a tile; it is answered as soon as its pairs are stored."""
        if copy.last_store is None:
            self._answer(copy, done)
        else:
            self._side_task(f"finish tile {copy.tile.index}", self._answer_when_stored(copy, done, copy.last_store))

    def failed(self, copy: Copy, error: errors.DomainError, *, retryable: bool, avoid: bool) -> None:
        """A matcher could not compare a tile."""
        open_tile = copy.open_tile
        self.lost(copy, outcome="failed", counts=True)
        if not retryable:
            self.fail(error)
        elif avoid:
            pause = 0.5 * 2**open_tile.attempts
            open_tile.avoided[copy.worker.matcher_id] = asyncio.get_running_loop().time() + pause

    def lost(self, copy: Copy, *, outcome: str, counts: bool) -> None:
        """A matcher works on a tile no longer; it waits again unless another has it."""
        open_tile = copy.open_tile
        self._forget(copy, outcome)
        if self._open.get(open_tile.tile.index) is not open_tile:
            return
        open_tile.attempts += counts
        if open_tile.attempts >= self._attempts:
            self.fail(
                errors.StateError(
                    errors.Reason.TILE_REFUSED,
                    f"tile {open_tile.tile.index} failed {open_tile.attempts} times: see the matchers' logs",
                    problem="too many attempts",
                    tile=open_tile.tile.index,
                    attempts=open_tile.attempts,
                )
            )
        elif not open_tile.copies:
            self.wait_again(open_tile)

    def distrust(self, worker: Worker) -> None:
        """Forget all that a matcher, which was found to be broken, did for tiles that are not answered yet."""
        for open_tile in list(self._open.values()):
            open_tile.stored = {number: run for number, run in open_tile.stored.items() if run.worker is not worker}
            for copy in [copy for copy in open_tile.copies if copy.worker is worker]:
                self.lost(copy, outcome="distrusted", counts=True)

    # ---- inside ----

    def _exhausted(self) -> bool:
        self._refill()
        return not self._open and self._answers.empty() and self._error is None

    def _refill(self) -> None:
        while self._plan is not None and len(self._waiting) < WINDOW:
            try:
                tile = next(self._plan, None)
            except Exception as error:
                self._plan = None
                self.fail(error)
                return
            if tile is None:
                self._plan = None
                return
            sides = (tile.left, tile.right) if tile.right else (tile.left,)
            needs = {chunk.digest.hash: chunk.digest for side in sides for chunk in side.chunks}
            self._waiting.append(self._open.setdefault(tile.index, OpenTile(tile, needs)))

    def _count(self, open_tile: OpenTile, comparisons: int) -> None:
        if comparisons > open_tile.comparisons and not self._closed:
            self._comparisons += comparisons - open_tile.comparisons
            open_tile.comparisons = comparisons
            try:
                self._on_progress(self._comparisons)
            except Exception as error:
                self.fail(error)

    def _forget(self, copy: Copy, outcome: str) -> None:
        if not copy.ended:
            copy.ended = True
            copy.open_tile.copies.remove(copy)
            self.copies_at_work -= 1
            meters.ENDED.labels(outcome).inc()

    def _let_go(self, copy: Copy, outcome: str) -> None:
        self._forget(copy, outcome)
        copy.worker.drop(copy)

    def _side_task(self, name: str, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._stores.add(task)
        task.add_done_callback(self._side_task_ended)
        return task

    def _side_task_ended(self, task: asyncio.Task[None]) -> None:
        self._stores.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def _store(self, copy: Copy, run: pair_intake.SortedRun) -> None:
        async with copy.open_tile.storing:  # first come, first served
            if not copy.ended and self._error is None:
                await self._store_once(copy, run)

    async def _store_once(self, copy: Copy, run: pair_intake.SortedRun) -> None:
        known = copy.open_tile.stored.get(run.number)
        if known is None:
            await self._sink.store(copy.tile, run.number, run.scores, run.left_rows, run.right_rows)
            if not copy.ended:
                copy.open_tile.stored[run.number] = _Stored(run.crc32c, run.pairs, copy.worker)
        elif (known.crc32c, known.pairs) != (run.crc32c, run.pairs):
            raise errors.InternalError(
                errors.Reason.INTERNAL,
                f"matchers {known.worker.matcher_id} and {copy.worker.matcher_id} gave different pairs for tile "
                f"{copy.tile.index}: one of them computes wrongly, take it out of service",
                tile=copy.tile.index,
            )

    async def _answer_when_stored(self, copy: Copy, done: frames.Done, last_store: asyncio.Task[None]) -> None:
        await asyncio.wait([last_store])
        if not last_store.cancelled() and last_store.exception() is None:
            self._answer(copy, done)

    def _answer(self, copy: Copy, done: frames.Done) -> None:
        """Answer a tile, unless another was quicker; who else works on it may stop."""
        open_tile = copy.open_tile
        if copy.ended or self._closed or self._error is not None:
            return
        self._forget(copy, "done")
        for loser in list(open_tile.copies):
            self._let_go(loser, "overtaken")
        self.wait_no_more(open_tile)
        del self._open[open_tile.tile.index]
        self._count(open_tile, open_tile.tile.comparisons)
        answer = tiles.TileAnswer(
            index=open_tile.tile.index,
            run_pairs=tuple(copy.intake.run_pairs),
            comparisons=done.comparisons,
            matcher_id=copy.worker.matcher_id,
            busy_nanos=done.busy_nanos,
        )
        self._answers.put_nowait(answer)
