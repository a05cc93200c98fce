"""How much memory work needs, as the system counts it (Linux)."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

_STATUS = pathlib.Path("/proc/self/status")
_RESET = pathlib.Path("/proc/self/clear_refs")


def peak_bytes() -> int:
    """The most memory this process ever held, or held since the last `growth` began."""
    return _status("VmHWM")


def growth(work: Callable[[], object]) -> int:
    """By how many bytes this process grew at most while the work was done; what it gives back is let go after that."""
    _RESET.write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    result = work()
    grown = peak_bytes() - before
    del result
    return grown


def _status(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise LookupError(f"{_STATUS} has no field {field}")
