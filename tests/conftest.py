"""What every test may ask for."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pydantic_ai.models
import pytest

from replyline.clock import FakeClock
from replyline.db import Db, open_db
from tests.support import databases, left_out, order, postgres_server
from tests.support.launcher import Launcher

pydantic_ai.models.ALLOW_MODEL_REQUESTS = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests that take long")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    left_out.leave_out_long(items)
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        items[:] = order.as_dealt(items, workers)


def pytest_configure(config: pytest.Config) -> None:
    left_out.be_thorough(config.getoption("--long"))
    if not hasattr(config, "workerinput"):
        postgres_server.begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    databases.drop_what_is_as_new()
    if not hasattr(config, "workerinput"):
        databases.drop_postgres_template()
        postgres_server.end_run()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    left_out.print_left_out(terminalreporter)


def pytest_sessionfinish(session: pytest.Session) -> None:
    left_out.fail_if_ci(session)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, migrated database: the test runs once on each engine."""
    if request.param == "sqlite":
        yield databases.sqlite_database(tmp_path)
        return
    databases.need_postgres()
    # Processes may go on after their test, and must not meet the next one.
    with databases.postgres_database(is_used_again=not request.node.get_closest_marker("process")) as url:
        yield url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Db]:
    """A database of its own, open."""
    db = open_db(database_url)
    yield db
    await db.close()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still on a Monday, at noon in Chicago."""
    return FakeClock("2026-03-02 18:00 UTC")


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Starts the `replyline` that is killed, and everything it has started ends with the run."""
    launcher = Launcher()
    yield launcher
    launcher.close()
