"""The page of settings, made from the services' configuration classes: ``python -m tests.house.settings_page``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic
import pydantic_core

from hushlink_coordinator.config import CoordinatorConfig
from hushlink_encoder.config import EncoderConfig
from hushlink_matcher.config import MatcherConfig
from hushlink_mesh.config import PREFIX, ProcessConfig

HEAD = """# Settings

Every process reads its settings once, from environment variables, when it starts. All faults are reported together, by
name and without their values, and the process ends with status 2; a variable that begins with `HUSHLINK_` and is no
setting is a fault too. This page is made from the code; a test compares the two.
"""


def page() -> str:
    """The whole page."""
    shared = ProcessConfig.model_fields
    sections: list[tuple[str, type[ProcessConfig], Mapping[str, Any]]] = [
        ("Every process", ProcessConfig, {}),
        ("Coordinator", CoordinatorConfig, shared),
        ("Matcher", MatcherConfig, shared),
        ("Encoder", EncoderConfig, shared),
    ]
    return HEAD + "".join(f"\n## {name}\n\n{''.join(table(kind, known))}" for name, kind, known in sections)


def table(kind: type[ProcessConfig], known: Mapping[str, Any]) -> Iterator[str]:
    yield "| variable | default | meaning |\n|---|---|---|\n"
    for name, field in kind.model_fields.items():
        if name not in known:
            meaning = " ".join((field.description or "").split()).replace("|", "\\|")
            yield f"| `{PREFIX}{name.upper()}` | {default(field)} | {meaning} |\n"
    if kind is ProcessConfig:
        yield "| `HUSHLINK_KERNEL` | the best | The kernel path, such as `portable`; read by the kernel itself. |\n"


def default(field: pydantic.fields.FieldInfo) -> str:
    if field.default_factory is not None:
        return "of the machine"
    if field.default is pydantic_core.PydanticUndefined:
        return "required"
    if field.default in (None, ()):
        return "none"
    return f"`{field.default}`"


if __name__ == "__main__":
    sys.stdout.write(page())
