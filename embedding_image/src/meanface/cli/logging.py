"""Logging: `key=value` lines for programs and task logs, colours in a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

from meanface.cli.unneeded import forbidden
from meanface.text import escaped

with forbidden("rich"):  # for pretty tracebacks, which nothing here prints
    import structlog


def configure(level: int = logging.INFO) -> None:
    """Configure structlog to write to stderr, as it is now: Rich replaces it to print above a bar."""
    terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            escape_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def escape_values(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape the strings of a log line; a structlog processor."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = escaped(value)
    return event
