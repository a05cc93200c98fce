"""What a process tells its operator: structured logs and metrics. Ids and counts, never values."""

from __future__ import annotations

import datetime
import json
import logging
import sys
from typing import Any

import prometheus_client

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and whatever was passed as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line for ``record``."""
        entry: dict[str, Any] = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({name: value for name, value in vars(record).items() if name not in _PLAIN})
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def set_up_logging(level: str) -> None:
    """Send every log of the process to its standard error, as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def serve_metrics(listen: str) -> Any:
    """Serve the process's metrics over HTTP for Prometheus; returns the server, whose ``shutdown()`` ends it."""
    host, _, port = listen.rpartition(":")
    server, _thread = prometheus_client.start_http_server(int(port), addr=host)
    return server


CALLS = prometheus_client.Counter("hushlink_calls", "gRPC calls that ended", ["method", "outcome"])
CALL_SECONDS = prometheus_client.Histogram("hushlink_call_seconds", "Duration of unary gRPC calls", ["method"])
