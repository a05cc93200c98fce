"""``python -m hushlink_matcher``: serve until asked to stop."""

from __future__ import annotations

import sys

from hushlink_matcher import app, config
from hushlink_mesh import lifecycle

if __name__ == "__main__":
    sys.exit(lifecycle.main(config.MatcherConfig, app.serve))
