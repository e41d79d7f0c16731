"""Structured logs on standard error: a stable event name and the ids to follow.

Phone numbers are masked by whoever logs; bodies, signatures and credentials are never given to a log.
"""

import json
import logging
import re
import sys
from typing import Any

import structlog

from replyline.tracebacks import as_told

ENCODER = json.JSONEncoder(default=repr)  # made once: every text that arrives is a line in the log


def set_up_logs(*, level: str = "info", as_json: bool = True) -> None:
    """Send our logs, and those of the libraries that warn, to standard error."""
    ours, last = processors(as_json=as_json)
    configure(ours, last, level)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[without_values, *ours],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def processors(*, as_json: bool) -> tuple[list[Any], Any]:
    """What each entry goes through, and how it is written."""
    ours: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_json:
        return [*ours, structlog.processors.ExceptionRenderer(as_told)], structlog.processors.JSONRenderer(
            serializer=as_line
        )
    # For a desk, where the phones are simulated. Without local variables, which would also hold tokens.
    plain = structlog.dev.ConsoleRenderer(pad_event_to=28, exception_formatter=structlog.dev.plain_traceback)
    return ours, plain


def configure(ours: list[Any], last: Any, level: str) -> None:
    structlog.configure(
        processors=[*ours, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def without_values(_: Any, __: str, event: Any) -> Any:
    """What asyncio complains of names the task or callback with its arguments and its error: those may be people's."""
    if event["_record"].name == "asyncio":
        found = re.match(r"[\w .,:'-]*", str(event["event"]))
        event["event"] = found[0].strip() if found else "asyncio"
    return event


def as_line(event: Any, **_: Any) -> str:
    return ENCODER.encode(event)


def get_log(name: str) -> Any:
    """The log of one module; a stable event name first, then ids: `log.info("text_sent", text=id)`."""
    if not structlog.is_configured():
        # Used as a library, by a test say: structlog's own default shows the local variables of a traceback.
        configure(*processors(as_json=True), "info")
    return structlog.get_logger(module=name)
