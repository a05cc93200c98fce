"""Assigning: which tile a matcher with room gets next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

from hushlink_coordinator.dispatch import comparison, held_chunks
from hushlink_domain import tiles

MOVE_FACTOR = 1.5
"""A tile is given to a second matcher when the first will still need so many times as long as the second in all."""

MOVE_SECONDS = 1.0
"""... and so many seconds more."""


class Candidate(comparison.Worker, Protocol):
    """A matcher, as far as choosing needs to know it."""

    slots: int
    """How many tiles it compares at a time."""

    @property
    def copies(self) -> list[comparison.Copy]:
        """What it has, in the order it was given."""
        ...

    def can_ever_take(self, needs: held_chunks.Needs, comparing: tiles.Comparing) -> bool:
        """Whether such a tile is within its limits."""
        ...

    def has_room_for(self, needs: held_chunks.Needs) -> bool:
        """Whether its cache can hold these chunks beside those of the tiles it has."""
        ...

    def missing_bytes(self, needs: held_chunks.Needs) -> int:
        """What would have to be sent."""
        ...


def next_tile(
    matcher: Candidate, others: Collection[Candidate], comparisons: Iterable[comparison.Comparison], now: float
) -> tuple[comparison.Comparison, comparison.OpenTile] | None:
    """The waiting tile that suits a matcher best: of the run with the fewest tiles at work, the one of whose chunks the
    matcher lacks the fewest bytes, and of these the first. None when nothing waits that it may take.
    """
    for candidate in sorted(comparisons, key=lambda each: each.copies_at_work):
        best: comparison.OpenTile | None = None
        best_missing = 0
        for open_tile in _allowed(matcher, others, candidate, now):
            missing = matcher.missing_bytes(open_tile.needs)
            if best is None or missing < best_missing:
                best, best_missing = open_tile, missing
            if not missing:
                break
        if best is not None:
            return candidate, best
    return None


def _allowed(
    matcher: Candidate, others: Collection[Candidate], candidate: comparison.Comparison, now: float
) -> Iterator[comparison.OpenTile]:
    for open_tile in candidate.waiting():
        if (
            not _avoids(matcher, others, candidate, open_tile, now)
            and all(copy.worker is not matcher for copy in open_tile.copies)
            and matcher.can_ever_take(open_tile.needs, candidate.comparing)
            and matcher.has_room_for(open_tile.needs)
        ):
            yield open_tile


def _avoids(
    matcher: Candidate,
    others: Collection[Candidate],
    candidate: comparison.Comparison,
    open_tile: comparison.OpenTile,
    now: float,
) -> bool:
    """Whether a tile is kept from a matcher because it failed there: for a while, or while others may do better."""
    until = open_tile.avoided.get(matcher.matcher_id)
    return until is not None and (
        now < until
        or any(
            other.matcher_id not in open_tile.avoided and other.can_ever_take(open_tile.needs, candidate.comparing)
            for other in others
        )
    )


def slowest_elsewhere(
    idle: Candidate, speed: float | None, others: Iterable[Candidate], now: float
) -> tuple[comparison.Copy, bool] | None:
    """For a matcher with an idle slot and no tile waiting: a copy that another has and that is better done here.

    Args:
        idle: who has nothing to do.
        speed: how many comparisons a second one of its slots makes, as far as is known.
        others: who has tiles.
        now: the event loop's time.

    Returns:
        The copy, and whether the other has begun with it, so that it is doubled rather than moved. None when all tiles
        are well where they are.
    """
    best: tuple[comparison.Copy, bool] | None = None
    longest = 0.0
    for other in others:
        for place, copy in enumerate(other.copies):
            if not _suits(idle, copy):
                continue
            if place >= other.slots and not copy.comparisons:
                return copy, False
            left = _seconds_left(copy, now) if place < other.slots else 0.0
            full = copy.tile.comparisons / speed if speed else None
            if full is not None and left > MOVE_FACTOR * full + MOVE_SECONDS and left > longest:
                best, longest = (copy, True), left
    return best


def _suits(idle: Candidate, copy: comparison.Copy) -> bool:
    open_tile = copy.open_tile
    return (
        len(open_tile.copies) == 1
        and copy.worker is not idle
        and idle.matcher_id not in open_tile.avoided
        and idle.can_ever_take(open_tile.needs, copy.comparison.comparing)
        and idle.has_room_for(open_tile.needs)
    )


def _seconds_left(copy: comparison.Copy, now: float) -> float:
    """How long the copy will still take, going on as it did so far."""
    elapsed = now - copy.since
    if not copy.comparisons:
        return elapsed  # nothing is known but that it takes at least as long as it took already
    return (copy.tile.comparisons - copy.comparisons) * elapsed / copy.comparisons
