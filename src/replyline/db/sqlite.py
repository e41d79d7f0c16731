"""SQLite: one writer thread; units that wait share one COMMIT, each in its own savepoint."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import NullPool

from replyline.db.errors import DatabaseDown
from replyline.db.transactor import Transactor
from replyline.db.units import Step, Unit
from replyline.db.wake import take_wakes
from replyline.errors import ReplylineError

# Another process may hold the file while it commits: `replyline text` beside a server, a backup.
BUSY_SECONDS = 10


def sqlite_engine(url: str) -> Engine:
    """A SQLAlchemy engine whose transactions begin when we say so and are on disk when COMMIT returns."""
    folder = file_of(url).parent
    if not folder.is_dir():
        raise ReplylineError(f"The database cannot be opened: there is no folder {folder}.")
    engine = create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,  # an error message with bodies and numbers in it would reach the log
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, record: object) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.isolation_level = None  # the driver begins nothing by itself
        use_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")  # a 200 to Twilio must survive a power cut
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-32768")
        connection.execute("PRAGMA temp_store=MEMORY")  # what a savepoint may need to undo: no file for each statement

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        # Taking the write lock at once: a transaction that reads first and writes later could be refused.
        raw(conn).execute("BEGIN IMMEDIATE")

    return engine


def file_of(url: str) -> Path:
    """The file behind a SQLite URL. Raises `ReplylineError` when there is none."""
    name = make_url(url).database
    if not name or name == ":memory:":
        raise ReplylineError("Replyline keeps its database in a file; give sqlite:///replyline.db, say.")
    return Path(name)


def use_wal(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on. SQLite does not wait for others here, so we do."""
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def raw(conn: Connection) -> sqlite3.Connection:
    """The driver's own connection."""
    connection: object = conn.connection.dbapi_connection
    assert isinstance(connection, sqlite3.Connection)
    return connection


class SqliteTransactor(Transactor):
    """Group commit on one connection."""

    shares = 40  # items, in one transaction: a webhook that has just missed it waits for it

    def __init__(self, url: str) -> None:
        self._engine = sqlite_engine(url)
        self._conn: Connection | None = None

    def transact(self, units: Sequence[Unit]) -> frozenset[str]:
        try:
            return self._transact(units)
        except Exception as error:  # BEGIN or COMMIT itself failed, or SQLite undid it all: disk full, locked
            self._forget()
            lost = DatabaseDown(f"SQLite could not make the change: {getattr(error, 'orig', error)}.")
            lost.__cause__ = error
            for unit in units:
                unit.fail(lost)
            return frozenset()

    def _transact(self, units: Sequence[Unit]) -> frozenset[str]:
        if self._conn is None:
            self._conn = self._engine.connect()
        with self._conn.begin():
            guarded = Savepoints(self._conn)
            for unit in units:
                unit.run(guarded)
            if guarded.lost is not None:
                raise guarded.lost
        return frozenset(guarded.topics)

    def _forget(self) -> None:
        """Let the connection go, whatever state it is in; the next round opens another."""
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.invalidate()
            conn.close()

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
        self._engine.dispose()


class Savepoints:
    """Runs steps of one transaction so that a step that fails undoes only itself."""

    def __init__(self, conn: Connection) -> None:
        self.topics: set[str] = set()
        self.lost: BaseException | None = None
        self._conn, self._raw = conn, raw(conn)
        take_wakes(conn)

    def __call__(self, step: Step) -> Any:
        if self.lost is not None:
            raise self.lost
        self._raw.execute("SAVEPOINT unit")
        try:
            value = step(self._conn)
            self._raw.execute("RELEASE unit")
        except BaseException as error:
            self._undo(error)
            raise
        self.topics |= take_wakes(self._conn)
        return value

    def _undo(self, error: BaseException) -> None:
        take_wakes(self._conn)
        # A full disk or an I/O error makes SQLite roll the whole transaction back, with everyone's work in it.
        if not self._raw.in_transaction:
            self.lost = error
            return
        try:
            self._raw.execute("ROLLBACK TO unit")
            self._raw.execute("RELEASE unit")
        except sqlite3.Error as fault:
            self.lost = fault
