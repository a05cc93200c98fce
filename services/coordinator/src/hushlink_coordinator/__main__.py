"""``python -m hushlink_coordinator``: read the configuration, serve until asked to stop."""

import sys

from hushlink_coordinator import app, config
from hushlink_mesh import lifecycle

if __name__ == "__main__":
    sys.exit(lifecycle.main(config.CoordinatorConfig, app.serve))
