"""Accounts: whom a foreign server runs as when we are root, which Postgres refuses to be."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import pwd
import stat

from hushlink_client import errors

_CANDIDATES = ("postgres", "nobody")


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine without special power."""

    uid: int
    gid: int

    def may_enter(self, path: pathlib.Path) -> bool:
        """Whether the account may reach and read ``path``, as far as plain modes tell."""
        place = path.resolve()
        return all(self._has(step, stat.S_IXOTH) for step in place.parents) and self._has(
            place, stat.S_IROTH | stat.S_IXOTH
        )

    def _has(self, step: pathlib.Path, wanted: int) -> bool:
        facts = step.stat()
        if facts.st_uid == self.uid:
            wanted <<= 6
        elif facts.st_gid == self.gid:
            wanted <<= 3
        return facts.st_mode & wanted == wanted


def for_server() -> Account | None:
    """The account a server that refuses root has to run as; None where we are no root and our own will do.

    Raises:
        errors.MeshError: we are root and the machine has no such account.
    """
    if os.geteuid() != 0:
        return None
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise errors.MeshError(
        "Postgres refuses to run as root and this machine has no account 'postgres' or 'nobody': "
        "add one, or run as an ordinary user"
    )
