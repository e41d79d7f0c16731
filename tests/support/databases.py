"""A migrated database for each test: a copy of one that is migrated once, or one that another test is done with."""

import fcntl
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from sqlalchemy import URL, make_url

from replyline.db.migrate import migrate
from replyline.db.tables import metadata
from tests.support.postgres_server import RUN_FOLDER, NoPostgres, server_url

# For the few promises that only one engine can make; every other storage test runs on both.
only_on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def run_folder() -> Path:
    return Path(os.environ[RUN_FOLDER])


@contextmanager
def only_one(name: str) -> Iterator[bool]:
    """Let one worker of the run do something that is done once; true for the one that has to."""
    with (run_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run_folder() / f"{name}.done"
        yield not done.exists()
        done.touch()


@cache
def sqlite_template() -> Path:
    file = run_folder() / "template.db"
    with only_one("sqlite") as is_mine:
        if is_mine:
            migrate(f"sqlite:///{file}")
    return file


def sqlite_database(folder: Path) -> str:
    """The URL of a fresh database in a folder."""
    file = folder / "replyline.db"
    shutil.copyfile(sqlite_template(), file)
    return f"sqlite:///{file}"


def need_postgres() -> None:
    """Leave the test out when there is no PostgreSQL."""
    try:
        server_url()
    except NoPostgres as none:
        pytest.skip(f"needs PostgreSQL: {none}")


@cache
def postgres_template() -> str:
    name = f"replyline_template_{run_folder().name[-8:]}"
    with only_one("postgresql") as is_mine:
        if is_mine:
            command(f'CREATE DATABASE "{name}"')
            migrate(url_of(name))
    return name


@contextmanager
def postgres_database(*, is_used_again: bool = True) -> Iterator[str]:
    """The URL of a migrated database without rows: a new one, or one that a test has left as it found it.

    Making one takes a hundred times as long as emptying one.
    """
    name = _as_new.pop() if is_used_again and _as_new else make_from_template()
    try:
        yield url_of(name)
    finally:
        if is_used_again and emptied(name):
            _as_new.append(name)
        else:
            drop(name)


_as_new: list[str] = []  # of this worker
_shapes: dict[str, object] = {}  # what each looked like when it was made

# Tables, columns, sequences, triggers, functions, settings and the version: whatever a test may have changed but rows.
SHAPE = """
    SELECT md5(string_agg(concat_ws(',', c.oid, c.relfilenode, c.xmin, a.attname, a.xmin), ';' ORDER BY c.oid, a.attnum)),
           (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_db_role_setting),
           (SELECT string_agg(version_num, ',') FROM alembic_version)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace
"""
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
SIZE = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
LARGEST = 8 * 2**20  # bytes; deleted rows stay where they are, and slow down whoever looks for others
RESTART = (
    "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
)


def make_from_template() -> str:
    name = make(f'TEMPLATE "{postgres_template()}" STRATEGY FILE_COPY')
    with psycopg.connect(url_of(name), autocommit=True) as conn:
        _shapes[name] = conn.execute(SHAPE).fetchone()
    return name


def emptied(name: str) -> bool:
    """Whether the database is as it was made, now that its rows are gone; not when somebody is still at it."""
    try:
        with psycopg.connect(url_of(name), autocommit=True) as conn:
            if not is_alone(conn) or conn.execute(SHAPE).fetchone() != _shapes[name] or one(conn, SIZE) > LARGEST:
                return False
            conn.execute(";".join(f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables)))
            conn.execute(RESTART)
    except psycopg.Error:
        return False
    return True


def is_alone(conn: psycopg.Connection[Any]) -> bool:
    """What has just disconnected takes a moment to go."""
    for _ in range(20):
        if not one(conn, OTHERS):
            return True
        time.sleep(0.005)
    return False


def one(conn: psycopg.Connection[Any], sql: LiteralString) -> int:
    row = conn.execute(sql).fetchone()
    return int(row[0]) if row else 0


def drop_what_is_as_new() -> None:
    while _as_new:
        drop(_as_new.pop())


@contextmanager
def empty_postgres_database(how: str = "") -> Iterator[str]:
    """The URL of a fresh database, which is dropped afterwards."""
    name = make(how)
    try:
        yield url_of(name)
    finally:
        drop(name)


def make(how: str) -> str:
    name = f"replyline_{uuid.uuid4().hex[:12]}"
    command(f'CREATE DATABASE "{name}" {how}')
    return name


def drop(name: str) -> None:
    command(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def drop_postgres_template() -> None:
    """Leave nothing behind on a server that is not ours."""
    if (run_folder() / "postgresql.done").exists():
        command(f'DROP DATABASE IF EXISTS "{postgres_template()}" WITH (FORCE)')


def url_of(database: str) -> str:
    return server().set(database=database).render_as_string(hide_password=False)


def server() -> URL:
    return make_url(server_url())


def command(sql: str) -> None:
    url = server().set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql)


def cut_connections(url: str) -> None:
    """End every connection to a PostgreSQL database but our own."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@contextmanager
def away(url: str) -> Iterator[None]:
    """A PostgreSQL database that has ended every connection and takes no new ones."""
    name = make_url(url).database
    command(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    command(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        yield
    finally:
        command(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


@contextmanager
def frozen(url: str, table: str) -> Iterator[None]:
    """Nobody can change this table (on SQLite: anything) until the test says so, as when a commit takes for ever."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=10)) as conn:
            conn.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(url) as conn:
            conn.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield
            conn.rollback()


def someone_waits(url: str) -> bool:
    """Whether a connection to a PostgreSQL database waits for what somebody else has locked."""
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
        return found is not None and found[0] > 0
