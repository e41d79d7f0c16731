"""Structured logs on standard error: a stable event name and the ids to follow.

Phone numbers are masked by whoever logs; bodies, signatures and credentials are never given to a log.
"""

import logging
import sys
from typing import Any

import structlog


def set_up_logs(*, level: str = "info", as_json: bool = True) -> None:
    """Send our logs, and those of the libraries that warn, to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(pad_event_to=28)
    errors = [structlog.processors.format_exc_info] if as_json else []
    structlog.configure(
        processors=[*shared, *errors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[*errors, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def get_log(name: str) -> Any:
    """The log of one module; a stable event name first, then ids: `log.info("text_sent", text=id)`."""
    return structlog.get_logger(module=name)
