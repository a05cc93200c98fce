"""Reading one JSON object of a schema while collecting what is wrong with it.

After a fault the reading goes on with a harmless stand-in, so that one pass finds every fault;
whoever starts the reading raises before a stand-in can be seen.
"""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeVar

from hushlink_domain.schema import faults

Choice = TypeVar("Choice", bound=enum.StrEnum)

SHOWN_CHARACTERS: Final = 40
"""Keys and keywords of a schema are cut to this length in fault texts."""


class Part:
    """One JSON object of a schema, its place, and the list that its faults go to."""

    __slots__ = ("_log", "members", "path")

    def __init__(self, value: object, path: str, log: list[faults.SchemaFault]) -> None:
        self._log = log
        self.path = path
        self.members: Mapping[str, object] = {}
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            self.members = value
        else:
            self.report(f"must be an object, is {kind(value)}", "write a JSON object here")
            self._log = []  # nothing below it is there to be missed

    def report(self, problem: str, remedy: str, key: str | None = None) -> None:
        """Add a fault of this object, or of its member `key`."""
        self._log.append(faults.SchemaFault(self.at(key) if key else self.path, problem, remedy))

    def at(self, key: str) -> str:
        """Path of the member `key`."""
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) and len(key) <= SHOWN_CHARACTERS:
            return f"{self.path}.{key}"
        return f"{self.path}[{shown(key)}]"

    def has(self, key: str) -> bool:
        """Tell whether the member is there, whatever its value."""
        return key in self.members

    def require(self, *keys: str) -> bool:
        """Report each of these members that is missing; True when all are there."""
        missing = [key for key in keys if key not in self.members]
        for key in missing:
            self.report(f"{key!r} is missing", f"add {key!r}")
        return not missing

    def only(self, allowed: Collection[str], remedy: str | None = None) -> None:
        """Report each member that has no meaning here."""
        for key in self.members:
            if key not in allowed:
                known = ", ".join(sorted(allowed)) or "none"
                self.report("is not a key known here", remedy or f"remove it; known keys: {known}", key)

    def part(self, key: str) -> Part:
        """Read a member that must be an object."""
        if not self.require(key):
            return Part({}, self.at(key), [])
        return Part(self.members[key], self.at(key), self._log)

    def parts(self, key: str) -> list[Part]:
        """Read a member that must be an array of objects."""
        path = self.at(key)
        return [Part(value, f"{path}[{index}]", self._log) for index, value in enumerate(self._array(key))]

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a member that must be an array of strings."""
        values = []
        for index, value in enumerate(self._array(key)):
            if isinstance(value, str):
                values.append(value)
            else:
                path = f"{self.at(key)}[{index}]"
                self._log.append(
                    faults.SchemaFault(path, f"must be a string, is {kind(value)}", "write it in double quotes")
                )
        return tuple(values)

    def _array(self, key: str) -> Iterable[object]:
        if not self.require(key):
            return ()
        value = self.members[key]
        if isinstance(value, list | tuple):
            return value
        self.report(f"must be an array, is {kind(value)}", "write a JSON array here", key)
        return ()

    def text(self, key: str, default: str | None = None) -> str:
        """Read a string; without a default it must be there."""
        if key not in self.members and default is not None:
            return default
        if not self.require(key):
            return ""
        value = self.members[key]
        if isinstance(value, str):
            return value
        self.report(f"must be a string, is {kind(value)}", "write it in double quotes", key)
        return ""

    def truth(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self.members.get(key, default)
        if isinstance(value, bool):
            return value
        self.report(f"must be true or false, is {kind(value)}", "write true or false", key)
        return default

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """Read a whole number within inclusive bounds; 5.0 is one, as in JSON Schema."""
        if key not in self.members and default is not None:
            return default
        if not self.require(key):
            return low
        value = whole(self.members[key])
        if value is None:
            problem = f"must be a whole number, is {kind(self.members[key])}"
            self.report(problem, f"write a whole number from {low}", key)
            return low
        if low <= value <= high:
            return value
        if value < low:
            self.report(f"is below {low}", f"write a whole number of at least {low}", key)
        else:
            self.report(f"is above {high}, the largest supported", "choose a smaller number", key)
        return low

    def number(self, key: str) -> int | float:
        """Read a finite number above 0."""
        if not self.require(key):
            return 1
        value = self.members[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.report(f"must be a number, is {kind(value)}", "write a number above 0", key)
        elif not math.isfinite(value) or value <= 0:
            self.report("must be a finite number above 0", "write a number above 0", key)
        else:
            return value
        return 1

    def choice(self, key: str, options: type[Choice], default: Choice | None = None) -> Choice:
        """Read one of the values of an enumeration."""
        if key not in self.members and default is not None:
            return default
        members = list(options)
        word = self.text(key)
        for option in members:
            if option.value == word:
                return option
        if isinstance(self.members.get(key), str):
            known = ", ".join(option.value for option in members)
            self.report(f"{shown(word)} is not supported", f"use one of: {known}", key)
        return members[0]


def whole(value: object) -> int | None:
    """Give the integer that a JSON value is, None if it is none; true and false are not."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None


def kind(value: object) -> str:
    """Name the JSON type of a value, never the value."""
    names: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "true or false"),
        (str, "a string"),
        (int, "a whole number"),
        (float, "a number with a fraction"),
        (Mapping, "an object"),
        ((list, tuple), "an array"),
    ]
    if value is None:
        return "null"
    return next((name for of, name in names if isinstance(value, of)), "not a JSON value")


def shown(word: str) -> str:
    """Quote a key or keyword for a fault text, cut short, control characters escaped."""
    cut = word if len(word) <= SHOWN_CHARACTERS else word[:SHOWN_CHARACTERS] + "..."
    return json.dumps(cut)
