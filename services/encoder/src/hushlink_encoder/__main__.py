"""``python -m hushlink_encoder``: serve until asked to stop."""

from __future__ import annotations

import sys

from hushlink_encoder import app, config, core_dumps
from hushlink_mesh import lifecycle

if __name__ == "__main__":
    core_dumps.disable()  # before any secret or record is in memory
    sys.exit(lifecycle.main(config.EncoderConfig, app.serve))
