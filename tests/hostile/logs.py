"""Everything that is logged, by us and by the libraries, as the server would write it."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from replyline.log import set_up_logs


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """The server's log from here on."""
    root = logging.getLogger()
    stderr, before = sys.stderr, (structlog.get_config(), root.handlers[:], root.level)
    stream = sys.stderr = io.StringIO()
    try:
        set_up_logs(level="debug")
        yield stream
    finally:
        sys.stderr = stderr
        structlog.configure(**before[0])
        root.handlers[:], root.level = before[1], before[2]


def taken(stream: io.StringIO) -> str:
    """What was logged since it was last looked at."""
    written = stream.getvalue()
    stream.seek(0)
    stream.truncate()
    return written
