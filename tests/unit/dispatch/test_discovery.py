"""Where matchers are: what is configured, what names stand for, and what is told of changes."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from hushlink_coordinator.dispatch import discovery


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("matchers:7001", discovery.Target("matchers", 7001)),
        ("127.0.0.1:1", discovery.Target("127.0.0.1", 1)),
        ("[::1]:65535", discovery.Target("::1", 65535)),
    ],
)
def test_reads_a_target(text: str, target: discovery.Target) -> None:
    assert discovery.Target.parse(text) == target


@pytest.mark.parametrize(
    "text", ["", "matchers", ":7001", "matchers:", "m:0", "m:65536", "m:-1", "m:x", "::1:80", "m:٣"]
)
def test_refuses_what_is_no_target(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|a port"):
        discovery.Target.parse(text)


def test_writes_addresses_as_they_are_dialled() -> None:
    assert str(discovery.Address("::1", 80, "x")) == "[::1]:80"
    assert str(discovery.Address("127.0.0.1", 80, "x")) == "127.0.0.1:80"


async def _told(monkeypatch: pytest.MonkeyPatch, *answers: list[str] | OSError) -> list[list[str]]:
    """What is told while a name's lookups go as given."""
    left = list(answers)
    told: list[list[str]] = []
    over = asyncio.Event()

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> Any:
        if not left:
            over.set()
            raise socket.gaierror(socket.EAI_AGAIN, "scripted")
        answer = left.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in answer]

    async def looked_up(host: str, port: int, **options: Any) -> Any:
        return getaddrinfo(host, port)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", looked_up)
    found = discovery.Discovery(
        [discovery.Target("matchers", 80)], 0.0, lambda addresses: told.append(sorted(each.ip for each in addresses))
    )
    watching = asyncio.create_task(found.watch())
    await over.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return told


async def test_tells_of_changes_and_of_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    told = await _told(monkeypatch, ["10.0.0.1"], ["10.0.0.1"], ["10.0.0.2", "10.0.0.1", "10.0.0.1"], ["10.0.0.2"])
    assert told == [["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.2"]]


async def test_a_name_that_stands_for_nothing_has_no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = socket.gaierror(socket.EAI_NONAME, "scripted")
    assert await _told(monkeypatch, ["10.0.0.1"], gone, ["10.0.0.1"]) == [["10.0.0.1"], [], ["10.0.0.1"]]


@pytest.mark.parametrize("fault", [socket.gaierror(socket.EAI_AGAIN, "scripted"), OSError("scripted")])
async def test_a_lookup_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch, fault: OSError) -> None:
    assert await _told(monkeypatch, ["10.0.0.1"], fault, ["10.0.0.1"]) == [["10.0.0.1"]]


async def test_a_name_that_cannot_be_looked_up_is_no_crash() -> None:
    assert await discovery.resolve(discovery.Target("x" * 70, 80)) in (None, frozenset())


async def test_looks_up_the_loopback() -> None:
    found = await discovery.resolve(discovery.Target("127.0.0.1", 80))
    assert found == frozenset({discovery.Address("127.0.0.1", 80, "127.0.0.1")})
