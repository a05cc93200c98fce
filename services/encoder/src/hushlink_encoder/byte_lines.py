"""A stream of bytes as lines: one at a time, or a block of whole lines to look at before they are taken."""

from __future__ import annotations

from typing import BinaryIO, Final

READ_BYTES: Final = 1 << 20


class ByteLines:
    """Reads a binary stream ahead; whatever its reads raise is raised here."""

    def __init__(self, stream: BinaryIO) -> None:
        self._read = getattr(stream, "read1", stream.read)  # what a pipe has now, not what it may have later
        self._ahead = b""
        self._at = 0
        self._over = False

    def line(self, limit: int) -> bytes:
        """Take the next line with its line feed, at most `limit` bytes; nothing at the end."""
        start, end = self._at, self._ahead.find(b"\n", self._at) + 1
        if 0 < end <= start + limit:
            self._at = end
            return self._ahead[start:end]
        return self._line(limit)

    def _line(self, limit: int) -> bytes:
        """The same for a line that was not read to its end, or is longer."""
        searched = self._at
        while True:
            end = self._ahead.find(b"\n", searched, self._at + limit) + 1
            if end or len(self._ahead) - self._at >= limit:
                break
            searched = len(self._ahead)
            before = self._at
            if not self._fill():
                break
            searched -= before
        found = self._ahead[self._at : end or self._at + limit]
        self._at += len(found)
        return found

    def block(self, size: int) -> memoryview:
        """Show whole lines of about `size` bytes; fewer at the end, none if a line is longer.

        The last line of the stream counts as whole.
        """
        while len(self._ahead) - self._at < size and self._fill():
            pass
        if self._over and len(self._ahead) - self._at <= size:
            return memoryview(self._ahead)[self._at :]
        end = self._ahead.rfind(b"\n", self._at, self._at + size) + 1
        return memoryview(self._ahead)[self._at : max(end, self._at)]

    def take(self, size: int) -> None:
        """Step over bytes that `block` has shown."""
        self._at += size

    def _fill(self) -> bool:
        """Read on; False at the end."""
        if self._over:
            return False
        found = self._read(READ_BYTES)
        self._over = not found
        self._ahead = self._ahead[self._at :] + found
        self._at = 0
        return not self._over
