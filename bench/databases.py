"""The databases of a run: SQLite as it comes, and a PostgreSQL that keeps what it has committed."""

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import Connection, make_url
from tests.support import postgres_server

from replyline.db import open_db
from replyline.db.migrate import migrate

LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"
SAFE = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "autovacuum": "on",
    "shared_buffers": "128MB",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """A database with our tables in it."""

    name: str  # what the table calls it
    url: str
    about: str  # version and durability

    def count(self, table: str, where: str = "TRUE") -> int:
        """How many rows a table has."""
        db = open_db(self.url)
        try:
            return db.run_blocking(number_of_rows, table, where)
        finally:
            db.close_blocking()


def number_of_rows(conn: Connection, table: str, where: str) -> int:
    found: int = conn.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE {where}").scalar_one()
    return found


def sqlite_database(folder: Path) -> Database:
    url = f"sqlite:///{folder / f'{uuid.uuid4().hex}.db'}"
    migrate(url)
    return Database(
        name="SQLite", url=url, about=f"SQLite {sqlite3.sqlite_version}, WAL, synchronous=FULL, a file of its own"
    )


@contextlib.contextmanager
def postgres_databases() -> Iterator["Postgres"]:
    """Where databases can be made: REPLYLINE_TEST_POSTGRES_URL, a server of our own, or the one at 127.0.0.1."""
    if given := os.environ.get(postgres_server.GIVEN):
        yield Postgres(given, f"{postgres_server.GIVEN}")
        return
    postgres_server.OPTIONS.update(SAFE)
    postgres_server.begin_run()
    try:
        try:
            server = Postgres(postgres_server.server_url(), "started for this run, Unix socket")
        except postgres_server.NoPostgres:
            server = Postgres(LOCAL, "the one at 127.0.0.1:5432")
        yield server
    finally:
        postgres_server.end_run()


class Postgres:
    """A server that databases are made on and dropped again."""

    def __init__(self, url: str, which: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        self._which = which

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        name = f"replyline_bench_{uuid.uuid4().hex[:8]}"
        self._command(f'CREATE DATABASE "{name}"')
        try:
            url = self._url.set(database=name).render_as_string(hide_password=False)
            migrate(url)
            yield Database(name="PostgreSQL", url=url, about=self.about())
        finally:
            self._command(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def about(self) -> str:
        """Version and durability, as the server itself says."""
        version, fsync, commit = (
            self._ask(f"SHOW {each}") for each in ("server_version", "fsync", "synchronous_commit")
        )
        return f"PostgreSQL {version.split()[0]}, {self._which}, fsync={fsync}, synchronous_commit={commit}"

    def _ask(self, sql: str) -> str:
        with psycopg.connect(self._plain_url(), autocommit=True) as conn:
            row = conn.execute(sql).fetchone()
            assert row is not None
            return str(row[0])

    def _command(self, sql: str) -> None:
        with psycopg.connect(self._plain_url(), autocommit=True) as conn:
            conn.execute(sql)

    def _plain_url(self) -> str:
        return self._url.render_as_string(hide_password=False)
