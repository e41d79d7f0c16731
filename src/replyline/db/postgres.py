"""PostgreSQL: a few threads, one connection and one transaction at a time each; deadlocks are tried again."""

import os
import random
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, ExceptionContext, Transaction, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from replyline.db.errors import DatabaseDown, OutcomeUnknown, plain
from replyline.db.transactor import Transactor, Woken
from replyline.db.units import Step, Unit
from replyline.db.wake import take_wakes
from replyline.log import get_log

CHANNEL = "replyline"
TRIES = 8  # for deadlocks and the like
PATIENCE = 5.0  # seconds that the server may be away before those who ask are told so
# 40001 serialization_failure, 40P01 deadlock_detected: PostgreSQL asks for the transaction to be done again.
AGAIN = {"40001", "40P01"}
# A server that vanished without a word is noticed within half a minute.
NETWORK: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}

# What the server is to do should we freeze or vanish in the midst of a transaction: everybody else waits for its rows. Ours
# never wait for anything but the server.
FORSAKEN = """
    SET idle_in_transaction_session_timeout = '15s';
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;
"""

log = get_log(__name__)


def postgres_engine(url: str) -> Engine:
    """A SQLAlchemy engine over psycopg 3; each database thread keeps the one connection it takes."""
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        hide_parameters=True,  # an error message with bodies and numbers in it would reach the log
        connect_args={"application_name": "replyline", "prepare_threshold": 2, **NETWORK},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.execute(FORSAKEN)
        connection.commit()

    @event.listens_for(engine, "handle_error")
    def leave_out_values(context: ExceptionContext) -> None:
        # "DETAIL: Key (line, phone)=(gym, +1...) already exists." would reach the log just the same.
        error = context.original_exception
        if isinstance(error, psycopg.Error) and error.diag.message_primary:
            error.args = (error.diag.message_primary,)
            if context.sqlalchemy_exception is not None:
                context.sqlalchemy_exception.args = (f"({type(error).__name__}) {error.diag.message_primary}",)

    return engine


class PostgresTransactor(Transactor):
    """One transaction a call. Sets are what share a commit here: the statement and its round trip are the price."""

    threads = 4

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = postgres_engine(url)
        self._mine = threading.local()
        self._open: dict[Connection, int] = {}  # each with the id of the server's process behind it
        self._backends: set[int] = set()
        self._down_since: float | None = None
        self._listener: Listener | None = None
        self._starting = threading.Lock()

    def transact(self, units: Sequence[Unit]) -> frozenset[str]:
        topics: set[str] = set()
        for unit in units:
            unit.run(lambda step: self._in_transaction(step, topics))
        return frozenset(topics)

    def _in_transaction(self, step: Step, topics: set[str]) -> Any:
        """Run one step in a transaction of its own, again when PostgreSQL asks for that or the connection is lost."""
        attempt = 0
        while True:
            attempt += 1
            try:
                value, wakes = self._once(step)
            except DBAPIError as error:
                if is_lost(error):
                    self._down_since = self._down_since or time.monotonic()
                    # Once more in any case: the connection may have been cut long ago, and a fresh one works.
                    if attempt > 1 and time.monotonic() - self._down_since > PATIENCE:
                        raise DatabaseDown(f"PostgreSQL does not answer: {plain(error)}") from error
                elif getattr(error.orig, "sqlstate", None) not in AGAIN or attempt == TRIES:
                    raise
                time.sleep(random.uniform(0, min(0.02 * 2**attempt, 0.5)))  # noqa: S311 - jitter, not a secret
            else:
                self._down_since = None
                topics |= wakes
                return value

    def _once(self, step: Step) -> tuple[Any, frozenset[str]]:
        conn = self._connection()
        transaction = conn.begin()
        is_committing = False
        try:
            value = step(conn)
            wakes = take_wakes(conn)
            if wakes:
                conn.exec_driver_sql(NOTIFY, (CHANNEL, sorted(wakes)))
            is_committing = True
            transaction.commit()
        except BaseException as error:
            self._undo(conn, transaction)
            if is_committing and isinstance(error, DBAPIError) and is_lost(error):
                raise OutcomeUnknown from error
            raise
        return value, wakes

    def _connection(self) -> Connection:
        conn: Connection | None = getattr(self._mine, "conn", None)
        if conn is None:
            conn = self._engine.connect()
            driver: Any = conn.connection.dbapi_connection
            self._open[conn] = driver.info.backend_pid
            self._backends.add(driver.info.backend_pid)
            self._mine.conn = conn
        return conn

    def _undo(self, conn: Connection, transaction: Transaction) -> None:
        try:
            transaction.rollback()
        except DBAPIError:
            conn.invalidate()
        if not conn.invalidated:
            take_wakes(conn)
            return
        self._mine.conn = None
        self._backends.discard(self._open.pop(conn))
        conn.close()

    def listen(self, woken: Woken, missed: Callable[[], None]) -> None:
        with self._starting:
            if self._listener is None:
                self._listener = Listener(self._url, woken, missed, self._backends.__contains__)

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for conn in self._open:
            conn.close()
        self._engine.dispose()


NOTIFY = "SELECT pg_notify(%s, topic) FROM unnest(%s::text[]) AS topic"


def is_lost(error: DBAPIError) -> bool:
    """Whether the connection broke or was never made: nothing is there then, unless it was committing."""
    never_made = getattr(error.orig, "sqlstate", None) is None and isinstance(error, OperationalError)
    return error.connection_invalidated or never_made


class Listener:
    """A connection that only listens, and comes back when it is lost."""

    def __init__(self, url: str, woken: Woken, missed: Callable[[], None], is_ours: Callable[[int], bool]) -> None:
        self._url = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._woken, self._missed, self._is_ours = woken, missed, is_ours
        self._closing = threading.Event()
        self._bell, self._ring = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="replyline-db-listen", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except psycopg.Error:
                # Polling covers for us meanwhile; a lost listener only costs latency.
                log.warning("listener_lost")
                self._closing.wait(random.uniform(0.2, 1))  # noqa: S311 - jitter, not a secret

    def _listen(self) -> None:
        with psycopg.connect(self._url, autocommit=True, application_name="replyline-listen", **NETWORK) as conn:
            conn.execute(f"LISTEN {CHANNEL}")
            self._missed()
            while not self._closing.is_set():
                # What this process has committed itself, its listeners know already.
                heard = frozenset(n.payload for n in conn.notifies(timeout=0) if not self._is_ours(n.pid))
                if heard:
                    self._woken(heard)
                else:
                    self._wait(conn)

    def _wait(self, conn: psycopg.Connection) -> None:
        """Until something is heard or this is to end."""
        with selectors.DefaultSelector() as selector:
            selector.register(conn.fileno(), selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            selector.select()

    def close(self) -> None:
        self._closing.set()
        os.write(self._ring, b".")
        self._thread.join()
        os.close(self._bell)
        os.close(self._ring)
