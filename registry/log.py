"""The log: structured lines on standard error, JSON for machines or text for people; requests have their own log."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure(form: str, level: str) -> None:
    """Send our lines and the libraries' through one renderer; `form` is json or text."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            # Plain: a prettier one prints the variables of each frame, passwords among them.
            colors=False,
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        *([structlog.processors.format_exc_info] if form == "json" else []),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # That a worker has started is told by the greeting, or by its absence.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
