"""Set-up of the standard library's logging: lines for people, or one JSON object per line."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO


class PlainFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO magnetar_broker.service: text`."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time_text(record)} {record.levelname} {record.name}: {record.getMessage()}"
        trace = _trace(self, record)
        return f"{line}\n{trace}" if trace else line


class JsonFormatter(logging.Formatter):
    """One object per line with `time`, `level`, `logger`, `message` and, on errors, `trace`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _time_text(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        trace = _trace(self, record)
        if trace:
            fields["trace"] = trace
        return json.dumps(fields, ensure_ascii=False)


def setup_logging(level: str | int = "INFO", json: bool = False, out: TextIO | None = None) -> None:
    """Send the process's log to `out` (standard error), in place of what was set up before."""
    handler = logging.StreamHandler(out or sys.stderr)
    handler.setFormatter(JsonFormatter() if json else PlainFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # Every request would be a line.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _time_text(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)
