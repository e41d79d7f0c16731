"""PostgreSQL: a few threads, one connection each, one transaction a unit; deadlocks and lost connections tried again."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, Transaction, create_engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from replyline.db.errors import DatabaseDown, OutcomeUnknown
from replyline.db.transactor import Transactor, Wake
from replyline.db.units import Unit
from replyline.db.wake import take_wakes

TRIES = 6
CHANNEL = "replyline"
Step = Callable[[Connection], Any]
# 40001 serialization_failure, 40P01 deadlock_detected: PostgreSQL asks for the transaction to be done again.
AGAIN = {"40001", "40P01"}


def postgres_engine(url: str) -> Engine:
    """A SQLAlchemy engine over psycopg 3; each database thread keeps the one connection it takes."""
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        hide_parameters=True,  # an error message with bodies and numbers in it would reach the log
        connect_args={"application_name": "replyline", "connect_timeout": 5, "prepare_threshold": 2},
    )


class PostgresTransactor(Transactor):
    """One transaction a call. Sets are what share a commit here: the statement and its round trip are the price."""

    threads = 4

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = postgres_engine(url)
        self._mine = threading.local()
        self._open: list[Connection] = []
        self._listener: Listener | None = None

    def transact(self, units: Sequence[Unit]) -> frozenset[str]:
        topics: set[str] = set()
        for unit in units:
            unit.run(lambda step: self._in_transaction(step, topics))
        return frozenset(topics)

    def _in_transaction(self, step: Step, topics: set[str]) -> Any:
        """Run one step in a transaction of its own, again when PostgreSQL asks for that or the connection is lost."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._once(step, topics)
            except DBAPIError as error:
                if not may_try_again(error):
                    raise
                if attempt == TRIES:
                    raise DatabaseDown(f"PostgreSQL did not answer in {TRIES} tries: {plain(error)}") from error
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def _once(self, step: Step, topics: set[str]) -> Any:
        conn = self._connection()
        transaction = conn.begin()
        is_committing = False
        try:
            value = step(conn)
            wakes = take_wakes(conn)
            for topic in wakes:
                conn.exec_driver_sql("SELECT pg_notify(%s, %s)", (CHANNEL, topic))
            is_committing = True
            transaction.commit()
        except BaseException as error:
            self._undo(conn, transaction)
            if is_committing and isinstance(error, DBAPIError) and error.connection_invalidated:
                raise OutcomeUnknown("PostgreSQL went away during COMMIT.") from error
            raise
        topics |= wakes
        return value

    def _connection(self) -> Connection:
        conn: Connection | None = getattr(self._mine, "conn", None)
        if conn is None:
            conn = self._mine.conn = self._engine.connect()
            self._open.append(conn)
        return conn

    def _undo(self, conn: Connection, transaction: Transaction) -> None:
        take_wakes(conn)
        try:
            transaction.rollback()
        except DBAPIError:
            conn.invalidate()
        if conn.invalidated:
            self._mine.conn = None
            self._open.remove(conn)
            conn.close()

    def listen(self, wake: Wake) -> None:
        if self._listener is None:
            self._listener = Listener(self._url, wake)

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for conn in self._open:
            conn.close()
        self._engine.dispose()


def may_try_again(error: DBAPIError) -> bool:
    """Whether doing the same transaction again may work and cannot do anything twice: nothing was committed."""
    state = getattr(error.orig, "sqlstate", None)
    never_connected = state is None and isinstance(error, OperationalError)
    return error.connection_invalidated or never_connected or state in AGAIN


def plain(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]


class Listener:
    """A connection that only listens, and comes back when it is lost."""

    def __init__(self, url: str, wake: Wake) -> None:
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._wake = wake
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="replyline-db-listen", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except psycopg.OperationalError:
                # Polling covers for us meanwhile; a lost listener only costs latency.
                self._closing.wait(1)

    def _listen(self) -> None:
        with psycopg.connect(self._url, autocommit=True, application_name="replyline-listen", connect_timeout=5) as conn:
            conn.execute(f"LISTEN {CHANNEL}")
            while not self._closing.is_set():
                for notification in conn.notifies(timeout=0.5):
                    self._wake(frozenset([notification.payload]))

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
