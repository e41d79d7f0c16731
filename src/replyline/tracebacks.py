"""Tracebacks for the log: where it happened and which error it was, and its words only when they cannot be a person's."""

import traceback
from collections.abc import Iterator
from types import TracebackType

from replyline.errors import ReplylineError

# Errors that say nothing of people: ours are one sentence for the operator, those of the system name files and hosts,
# and both database engines are told to hide values. Anything else may quote a body or a number:
# `KeyError: '+14155550123'` in a line's own code.
OURS = (ReplylineError, OSError, TimeoutError)
DATABASES = {"sqlalchemy", "psycopg", "sqlite3"}


def as_told(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """The traceback of an error, and of what caused it."""
    return "".join(lines_of(exc_info[1], set())).rstrip()


def lines_of(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        yield from lines_of(cause, seen)
        yield "\nThat led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{name_of(error)}{words_of(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield "\nWith it:\n\n"
            yield from lines_of(each, seen)


def name_of(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def words_of(error: BaseException) -> str:
    is_harmless = isinstance(error, OURS) or type(error).__module__.partition(".")[0] in DATABASES
    return f": {error}" if is_harmless else ""
