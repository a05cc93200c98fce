"""Held chunks: what a matcher's cache holds, as far as its coordinator can tell.

The matcher drops the least recently used chunk that none of its tiles needs, and use is what the coordinator sends:
a chunk, or a tile that names it. So the coordinator can follow in its mind. Where the two differ, because a tile ended
meanwhile, the matcher's notice of what it dropped sets it right.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping

from hushlink_domain import digests

Needs = Mapping[bytes, digests.Digest]
"""Chunks by their hash."""


def size_of(needs: Needs) -> int:
    """Their bytes, together."""
    return sum(digest.size_bytes for digest in needs.values())


class HeldChunks:
    """One matcher's chunks, of at most ``capacity_bytes``."""

    def __init__(self, capacity_bytes: int, held: Iterable[digests.Digest] = ()) -> None:
        self._capacity_bytes = capacity_bytes
        self._chunks: collections.OrderedDict[bytes, digests.Digest] = collections.OrderedDict()
        self._pins: collections.Counter[bytes] = collections.Counter()
        self._used_bytes = 0
        for digest in held:
            self.sent(digest)

    def missing_bytes(self, needs: Needs) -> int:
        """How many bytes would have to be sent for ``needs``."""
        return sum(needs[name].size_bytes for name in needs.keys() - self._chunks.keys())

    def to_send(self, needs: Needs) -> list[digests.Digest]:
        """What to send, in this order, so that the matcher holds all of ``needs`` afterwards.

        A chunk that is held, but would be dropped to make room for the others, is sent again, before them.
        """
        missing = [digest for name, digest in needs.items() if name not in self._chunks]
        excess = self._used_bytes + sum(digest.size_bytes for digest in missing) - self._capacity_bytes
        endangered: list[digests.Digest] = []
        for name, digest in self._chunks.items():
            if excess <= 0:
                break
            if name in needs:
                endangered.append(digest)
            elif not self._pins[name]:
                excess -= digest.size_bytes
        return [digest for digest in endangered if not self._pins[digest.hash]] + missing

    def sent(self, digest: digests.Digest) -> None:
        """A whole chunk was sent: the matcher holds it, and has made room for it."""
        if digest.hash in self._chunks:
            self._chunks.move_to_end(digest.hash)
            return
        excess = self._used_bytes + digest.size_bytes - self._capacity_bytes
        for name in [name for name in self._chunks if not self._pins[name]] if excess > 0 else ():
            if excess <= 0:
                break
            excess -= self._remove(name)
        self._chunks[digest.hash] = digest
        self._used_bytes += digest.size_bytes

    def pin(self, needs: Needs) -> None:
        """A tile that needs them was sent: they stay until it ends."""
        for name in needs:
            self._pins[name] += 1
            if name in self._chunks:
                self._chunks.move_to_end(name)

    def unpin(self, needs: Needs) -> None:
        """A tile that needed them has ended."""
        for name in needs:
            self._pins[name] -= 1
            if not self._pins[name]:
                del self._pins[name]

    def dropped(self, names: Iterable[digests.Digest]) -> None:
        """The matcher says that it holds them no longer."""
        for digest in names:
            if digest.hash in self._chunks:
                self._remove(digest.hash)

    def _remove(self, name: bytes) -> int:
        size_bytes = self._chunks.pop(name).size_bytes
        self._used_bytes -= size_bytes
        return size_bytes
