"""No core dump: the memory of this process holds records and secrets, and must not reach a disk when it crashes."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def disable() -> None:
    """Keep the system from writing this process's memory to a file, as far as the system lets a process say so.

    The limit alone is not enough on Linux: a kernel that pipes dumps to a program does not heed it. A process that is
    not dumpable is neither dumped nor open to other processes of its account.
    """
    try:
        import resource  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
