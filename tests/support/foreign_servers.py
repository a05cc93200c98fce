"""Servers that are not ours, as processes that end with the block, and with this process should it be killed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from hushlink_client.dev import ports

START_SECONDS = 60.0
"""A server that is not ready by then is broken."""
_STOP_SECONDS = 20.0
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "TZ")


@contextlib.contextmanager
def running(name: str, *arguments: str, log: pathlib.Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A server program inside the block; SIGTERM ends it."""
    specification = importlib.util.find_spec("hushlink_client.dev.tether")
    assert specification is not None
    assert specification.origin is not None
    tether = (sys.executable, "-I", "-S", specification.origin, str(os.getpid()), str(int(signal.SIGTERM)), "-", "-")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*tether, program(name), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=minimal_environment(environment),
        )
    try:
        yield
        assert process.poll() is None, f"{name} ended by itself: {log.read_text(errors='replace')[-2000:]}"
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def program(name: str) -> str:
    """The path of an installed program."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/sbin")
    assert path is not None, f"{name} is not installed"
    return path


def minimal_environment(further: Mapping[str, str]) -> dict[str, str]:
    """The few variables that say where things are, and ``further``."""
    return {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | dict(further)


def wait_until(look: Callable[[], bool], what: str, log: pathlib.Path) -> None:
    """Look again and again until there is what was waited for."""
    deadline = time.monotonic() + START_SECONDS
    while not look():
        assert time.monotonic() < deadline, f"{what} not there: {log.read_text(errors='replace')[-2000:]}"
        time.sleep(0.02)


def speaks_tls(port: int, ca: pathlib.Path) -> bool:
    """Whether a server on the loopback ``port`` shows a certificate of ``ca``."""
    context = ssl.create_default_context(cafile=ca)
    try:
        with (
            socket.create_connection((ports.LOOPBACK, port), timeout=5) as connection,
            context.wrap_socket(connection, server_hostname=ports.LOOPBACK),
        ):
            return True
    except OSError:
        return False
