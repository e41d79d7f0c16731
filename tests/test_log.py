"""What reaches the log: where it happened and which error it was, and never what people said."""

import asyncio
import gc
import logging

import pytest
import structlog

from replyline.db.errors import DatabaseDown
from replyline.log import get_log
from replyline.tracebacks import as_told
from tests.hostile.logs import logged, taken
from tests.hostile.people import MARK, PHONE

log = get_log(__name__)


def fails(*errors):
    """Raise the errors, each because of the one before."""
    cause = None
    for error in errors:
        try:
            raise error from cause
        except BaseException as raised:
            cause = raised
    raise cause


@pytest.mark.parametrize(
    "errors",
    [
        (KeyError(PHONE),),
        (ValueError(f"invalid literal for int(): {MARK}"), RuntimeError("broken")),
        (ValueError(MARK), DatabaseDown("PostgreSQL does not answer.")),
        (ExceptionGroup(MARK, [ValueError(MARK), ExceptionGroup("more", [KeyError(PHONE)])]),),
    ],
)
def test_the_words_of_an_error_that_may_be_a_persons_are_not_logged(errors):
    with logged() as stream:
        try:
            fails(*errors)
        except BaseException:
            log.exception("turn_failed", turn="trn_1")
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
        written = taken(stream)
    assert written.count("test_log.py") >= 2
    assert all(type(error).__name__ in written for error in errors)
    assert MARK not in written
    assert PHONE not in written


def told(error):
    return as_told((type(error), error, None))


def test_what_the_operator_needs_is_said():
    error = DatabaseDown("PostgreSQL does not answer: no such host.")
    assert told(error).endswith("DatabaseDown: PostgreSQL does not answer: no such host.")
    assert told(FileNotFoundError(2, "No such file", "/media/x")).endswith("No such file: '/media/x'")
    assert told(KeyError(PHONE)).endswith("KeyError")


def test_an_error_that_causes_itself_is_told_once():
    one, other = ValueError("a"), ValueError("b")
    one.__cause__, other.__cause__ = other, one
    assert told(one).count("ValueError") == 2


async def test_what_asyncio_says_of_a_forgotten_task_names_no_one():
    async def forgotten():
        raise KeyError(PHONE)

    with logged() as stream:
        task = asyncio.ensure_future(forgotten())
        await asyncio.sleep(0.01)
        del task
        gc.collect()
        written = taken(stream)
    assert "Task exception was never retrieved" in written
    assert PHONE not in written


def test_a_log_that_nobody_set_up_is_as_careful(capsys):
    before = structlog.get_config()
    structlog.reset_defaults()
    try:
        try:
            raise KeyError(PHONE)
        except KeyError:
            get_log("a.library").exception("went_wrong")
    finally:
        structlog.configure(**before)
    assert PHONE not in "".join(capsys.readouterr())
