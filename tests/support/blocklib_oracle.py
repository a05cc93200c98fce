"""blocklib 0.1.11, the oracle of blocking, which wants the pydantic of another age."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import pytest

_WANTED = ("pydantic", "pydantic.tools", "pydantic.types")


@functools.cache
def loaded() -> ModuleType:
    """The package; whoever asks on a Python it is not made for is skipped."""
    if sys.version_info >= (3, 12):
        pytest.skip("blocklib is made for Python below 3.12")

    present = {name: sys.modules[name] for name in _WANTED if name in sys.modules}
    try:
        for name in _WANTED:
            sys.modules[name] = importlib.import_module(name.replace("pydantic", "pydantic.v1", 1))
        import blocklib  # type: ignore[import-untyped]  # noqa: PLC0415

        package: ModuleType = blocklib
        return package
    finally:
        for name in _WANTED:
            sys.modules.pop(name, None)
        sys.modules.update(present)


def candidate_blocks(
    rows: Sequence[Sequence[str]] | Sequence[str], document: Mapping[str, Any], header: Sequence[str] | None
) -> Any:
    """What it makes of rows, or of encodings in base64, without what it says about it."""
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        return loaded().generate_candidate_blocks(rows, document, list(header) if header else None)
    finally:
        logging.getLogger().setLevel(level)
