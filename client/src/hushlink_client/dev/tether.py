"""Becomes another program that ends when its parent does, under an account of less power if asked.

Run as a script by `processes.py`, never imported: ``tether.py PARENT SIGNAL UID GID PROGRAM ARGUMENT...``, with ``-``
for UID and GID to stay who we are. It exists because a foreign server knows no lifeline, and because the same done
between fork and exec of a process with threads may deadlock. Nothing but the standard library: it runs isolated.

Only Linux tells a process of its parent's death; elsewhere a foreign server outlives a parent that was killed, until
the next start on the same data folder says so.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Take up the account, tie the tether, become the program."""
    parent, number, uid, gid, *command = sys.argv[1:]
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        # After the change of account, which would undo it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != int(parent):  # it died before the tether was tied
            sys.exit(128 + int(number))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python's own start ignores it
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


main()
