"""SQLite: one writer thread; units that wait share one COMMIT, each in its own savepoint."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

from replyline.db.transactor import Transactor
from replyline.db.units import Unit
from replyline.db.wake import take_wakes

# Another process may hold the file while it commits: `replyline text` beside a server, a backup.
BUSY_SECONDS = 10


def sqlite_engine(url: str) -> Any:
    """A SQLAlchemy engine whose transactions begin when we say so and are on disk when COMMIT returns."""
    engine = create_engine(url, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, record: object) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = None  # the driver begins nothing by itself
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # a 200 to Twilio must survive a power cut
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-32768")

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        # Taking the write lock at once: a transaction that reads first and writes later could be refused.
        conn.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


class SqliteTransactor(Transactor):
    """Group commit on one connection."""

    shares = 200

    def __init__(self, url: str) -> None:
        self._engine = sqlite_engine(url)
        self._conn: Connection | None = None

    def transact(self, units: Sequence[Unit]) -> frozenset[str]:
        try:
            return self._transact(units)
        except Exception as error:  # BEGIN or COMMIT itself failed: disk full, locked; nothing was kept
            for unit in units:
                unit.fail(error)
            return frozenset()

    def _transact(self, units: Sequence[Unit]) -> frozenset[str]:
        if self._conn is None:
            self._conn = self._engine.connect()
        conn = self._conn
        with conn.begin():
            guarded = savepoints(conn)
            for unit in units:
                unit.run(guarded)
        return take_wakes(conn)

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
        self._engine.dispose()


def savepoints(conn: Connection) -> Callable[[Callable[[Connection], Any]], Any]:
    """A call that undoes only itself when it fails."""
    raw = conn.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)

    def guarded(step: Callable[[Connection], Any]) -> Any:
        raw.execute("SAVEPOINT unit")
        try:
            value = step(conn)
        except BaseException:
            raw.execute("ROLLBACK TO unit")
            raw.execute("RELEASE unit")
            raise
        raw.execute("RELEASE unit")
        return value

    return guarded
