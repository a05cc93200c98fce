"""How a date template is read: strptime, made independent of the Python release."""

from __future__ import annotations

import datetime
import re
from typing import Final

YEAR_DIRECTIVES: Final = frozenset("YyGcx")
DEFAULT_YEAR: Final = "1900"


class Template:
    """A strptime template, ready to read dates.

    Missing parts default to the year 1900, the first month, the first day. Newer Pythons warn of
    templates without a year, because they may change the default; the year is pinned here.
    """

    __slots__ = ("_suffix", "_template", "text")

    def __init__(self, template: str) -> None:
        self.text = template
        directives = set(re.findall(r"%(.)", template, re.DOTALL))
        pinned = not directives & YEAR_DIRECTIVES
        # No cell can hold back the NUL: it stands outside every directive and all white space.
        self._suffix = f"\0{DEFAULT_YEAR}" if pinned else ""
        self._template = f"{template}\0%Y" if pinned else template

    def read(self, text: str) -> datetime.date | None:
        """Read a date, None when the text is none; the time of day is dropped."""
        try:
            return datetime.datetime.strptime(text + self._suffix, self._template).date()
        except (ValueError, OverflowError):
            return None

    def is_usable(self) -> bool:
        """Tell whether a date written after the template can be read with it."""
        sample = datetime.datetime(1999, 12, 31, tzinfo=datetime.UTC)
        try:
            written = sample.strftime(self.text) + self._suffix
            datetime.datetime.strptime(written, self._template)
        except (ValueError, re.error):  # the latter for a directive that is given twice
            return False
        return True
