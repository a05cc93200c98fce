"""Discovery: the addresses where matchers are, looked up again and again while the process runs."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

_GONE = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Target:
    """A host and port as configured; the host may stand for several addresses, or for none at the moment."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Target:
        """The target written as HOST:PORT; an IPv6 address stands in brackets.

        Raises:
            ValueError: it is not written so.
        """
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed:
            host = host[1:-1]
        if not colon or not host or (":" in host and not bracketed) or not port.isascii() or not port.isdigit():
            raise ValueError(f"a matcher's address is HOST:PORT, or [ADDRESS]:PORT for IPv6; {text!r} is not")
        if not 0 < int(port) < 1 << 16:
            raise ValueError(f"a port is a number from 1 to 65535; {port} in {text!r} is not")
        return cls(host, int(port))


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Address:
    """One address to dial."""

    ip: str
    port: int
    host: str
    """The name it was found under, which its certificate must bear."""

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


async def resolve(target: Target) -> frozenset[Address] | None:
    """Every address of a target now; none when the name stands for nothing; None when nobody could tell."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return frozenset() if error.errno in _GONE else None
    except (OSError, UnicodeError):
        return None
    return frozenset(Address(str(place[0]), target.port, target.host) for *_, place in found)


class Discovery:
    """The addresses of some targets."""

    def __init__(
        self, targets: Iterable[Target], seconds: float, changed: Callable[[frozenset[Address]], None]
    ) -> None:
        """``changed`` is called with all addresses, at first and whenever they are others than before."""
        self._known: dict[Target, frozenset[Address]] = {target: frozenset() for target in targets}
        self._seconds = seconds
        self._changed = changed

    async def watch(self) -> None:
        """Look the targets up every so often, for ever."""
        told: frozenset[Address] | None = None
        while True:
            await asyncio.gather(*(self._look_up(target) for target in self._known))
            # Two names of one address are one matcher.
            found = frozenset(
                {(each.ip, each.port): each for each in sorted(frozenset().union(*self._known.values()))}.values()
            )
            if found != told:
                logger.info("matchers' addresses", extra={"addresses": sorted(map(str, found))})
                self._changed(found)
                told = found
            await asyncio.sleep(self._seconds)

    async def _look_up(self, target: Target) -> None:
        addresses = await resolve(target)
        if addresses is None:
            logger.warning("cannot look up a matcher's name; its last addresses stay", extra={"host": target.host})
            return
        self._known[target] = addresses
