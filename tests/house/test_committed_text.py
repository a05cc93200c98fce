"""No committed text leads to a package registry or to a place of somebody's machine.

Pins are hashes: where packages come from is the business of whoever installs them. The patterns are put together from
pieces, so that this file does not hold them.
"""

from __future__ import annotations

import pathlib
import re
import subprocess

from tests.support import repository

_HOSTS = ("py" + "pi.org", "python" + "hosted.org", "registry.np" + "mjs.org", "registry.ya" + "rnpkg.com")
_MIRRORS = ("deb.deb" + "ian.org", "security.deb" + "ian.org", "archive.ubu" + "ntu.com")
_PLACES = ("/ro" + "ot", "/ho" + "me/[a-z]+", "/Us" + "ers/[A-Za-z]+", "/wo" + "rk", "/workspa" + "ce")
_PATTERN = re.compile(
    "|".join([*map(re.escape, (*_HOSTS, *_MIRRORS)), *(rf"(?<![\w.}}*-]){place}(?=[/\s\"']|$)" for place in _PLACES)]),
    re.MULTILINE,
)


def _offences(text: str, name: str) -> list[str]:
    return [f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}" for found in _PATTERN.finditer(text)]


def _text(path: pathlib.Path) -> str:
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode(errors="replace")


def test_no_file_names_a_registry_or_a_machine():
    files = repository.tracked_files()
    assert len(files) > 100
    assert not [line for path in files for line in _offences(_text(path), str(path.relative_to(repository.ROOT)))]


def test_no_commit_message_does():
    log = subprocess.run(["git", "log", "--format=%H%n%B"], cwd=repository.ROOT, capture_output=True, check=True)
    assert not _offences(log.stdout.decode(), "git log")


def test_the_patterns_find_what_they_are_for():
    for host in (*_HOSTS, *_MIRRORS):
        assert _offences(f"index-url = https://{host}/simple", "planted")
    for place in ("/ro" + "ot/x", "/ho" + "me/ann/x", "/wo" + "rk/main"):
        assert _offences(f"cd {place}", "planted")
    assert not _offences("HOME=/ and /var/lib and clients/work/x and ~/.cache", "innocent")
