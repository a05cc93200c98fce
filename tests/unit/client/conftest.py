"""What the client's tests share."""

from __future__ import annotations

from tests.support.command_line import command_line

__all__ = ["command_line"]
