"""A TCP connection that breaks where a test wants it to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

_PIECE_BYTES = 16 << 10


class Wire:
    """Passes bytes on between its callers and a server."""

    def __init__(self, up: Sequence[int], down: Sequence[int]) -> None:
        self.connections = 0
        """How many there have been."""
        self.address = ""
        """HOST:PORT to call."""
        self._up, self._down = list(up), list(down)
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Break what is open."""
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on, until an end closes it or its bytes are used up."""
        number = self.connections
        self.connections += 1
        up = self._up[number] if number < len(self._up) else None
        down = self._down[number] if number < len(self._down) else None
        far_reader, far_writer = await asyncio.open_connection(host, port)
        ends = {writer, far_writer}
        self._open |= ends
        directions = [
            asyncio.ensure_future(_pass(reader, far_writer, up)),
            asyncio.ensure_future(_pass(far_reader, writer, down)),
        ]
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        self._open -= ends
        for end in ends:
            end.transport.abort()
        await asyncio.wait(directions)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
    passed = 0
    with contextlib.suppress(OSError):
        while (most is None or passed < most) and (piece := await reader.read(_PIECE_BYTES)):
            writer.write(piece)
            await writer.drain()
            passed += len(piece)


@contextlib.asynccontextmanager
async def breaking(target: str, *, up: Sequence[int] = (), down: Sequence[int] = ()) -> AsyncIterator[Wire]:
    """A wire to ``target``.

    Args:
        target: HOST:PORT of the server.
        up: after about how many bytes to the server the first, second, ... connection breaks; later ones do not.
        down: likewise from the server.
    """
    host, _, port = target.rpartition(":")
    wire = Wire(up, down)
    server = await asyncio.start_server(lambda *ends: wire.serve(host, int(port), *ends), "127.0.0.1", 0)
    wire.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        wire.cut()
        await server.wait_closed()
