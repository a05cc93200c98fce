"""One side of one round of the encoder's benchmark, in a process of its own, on one core; prints seconds.

usage: python -m benchmarks.encoder_side hushlink|clkhash FILE ROWS
"""

from __future__ import annotations

import json
import os
import pathlib
import pickle
import sys
import time
from collections.abc import Callable
from typing import Any

SECRET = b"a secret of the benchmark"


def hushlink(schema: dict[str, Any]) -> Callable[[list[tuple[str, ...]]], object]:
    """Ours."""
    import hushlink_encoder  # noqa: PLC0415 - only one side is loaded

    def encode(rows: list[tuple[str, ...]]) -> object:
        with hushlink_encoder.Encoder(schema, SECRET) as encoder:
            return encoder.encode(rows)

    return encode


def clkhash(schema: dict[str, Any]) -> Callable[[list[tuple[str, ...]]], object]:
    """The peer's, validation on, in this process."""
    from clkhash import clk  # type: ignore[import-untyped] # noqa: PLC0415
    from clkhash import schema as schemas  # noqa: PLC0415

    return lambda rows: clk.generate_clks(rows, schemas.from_json_dict(schema), SECRET, max_workers=1)


def main() -> None:
    """Encode once, from cold."""
    side, file, count = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    schema = json.loads(pathlib.Path(file).with_suffix(".json").read_text())
    rows = pickle.loads(pathlib.Path(file).read_bytes())[: int(count)]
    encode = {"hushlink": hushlink, "clkhash": clkhash}[side](schema)
    begun = time.process_time()
    encode(rows)
    sys.stdout.write(f"{time.process_time() - begun}\n")


if __name__ == "__main__":
    main()
