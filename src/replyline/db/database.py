"""Running plain functions in transactions, on database threads.

`await db.run(fn, *args)` calls `fn(conn, *args)` in one transaction. `await db.gather(fn, item)` collects the items
that wait for the same `fn` and calls `fn(conn, items)` once. No await can happen inside a transaction, because the
function is not a coroutine. It does nothing but ask the database: after a deadlock or a lost connection it is called
again, and what it did the first time is gone.
"""

import asyncio
import concurrent.futures
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, make_url

from replyline.db.errors import DatabaseClosed
from replyline.db.transactor import Transactor
from replyline.db.units import GatheredUnit, SingleUnit, Unit, deliver
from replyline.errors import ReplylineError
from replyline.log import get_log

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")

Conn = Connection
Gathered = Callable[[Conn, Sequence[A]], Sequence[R]]

log = get_log(__name__)

YIELDS = 0.2  # seconds after which a flood of webhooks lets something else go first


@dataclass(eq=False, slots=True)
class Queue:
    """Units that wait for a thread, and how many threads are busy with some."""

    waiting: deque[Unit] = field(default_factory=deque)
    running: int = 0
    since: float = 0.0  # when the first began to wait, or the last that was done ended


class Db:
    """One database, whichever engine it is. Make one with `open_db`."""

    def __init__(self, url: str, transactor: Transactor) -> None:
        self.url = url
        self.engine_name = backend_of(url)
        self._transactor = transactor
        self._urgent, self._others = Queue(), Queue()
        self._ready = threading.Condition(threading.Lock())
        self._gathering: dict[Callable[..., Any], GatheredUnit] = {}
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._closing = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"replyline-db-{n}", daemon=True)
            for n in range(transactor.threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, fn: Callable[Concatenate[Conn, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `fn(conn, ...)` in one transaction and return what it returns.

        What was asked is done, also when whoever asked is cancelled meanwhile.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._put(SingleUnit(fn, args, kwargs, future))
        return await future

    async def gather(self, fn: Gathered[A, R], item: A, *, within: float | None = None, urgent: bool = False) -> R:
        """Add `item` to those waiting for `fn`, which answers all of them in one transaction, in their order.

        When the whole set fails its items are tried one by one, so one bad item harms no other. Raises `TimeoutError`
        after `within` seconds; what was asked is done all the same. What is `urgent` goes before all else that waits.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        with self._ready:
            self._refuse_if_closing()
            unit = self._gathering.get(fn)
            if unit is None:
                unit = self._gathering[fn] = GatheredUnit(fn, urgent=urgent)
            if unit.add(item, future):
                self._enqueue(unit)
        if within is None:
            return await future
        timer = loop.call_later(within, give_up, future)  # a third of what asyncio.timeout costs
        try:
            return await future
        finally:
            timer.cancel()

    def run_blocking(self, fn: Callable[Concatenate[Conn, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`run` for commands and tests that have no event loop."""
        future: concurrent.futures.Future[R] = concurrent.futures.Future()
        self._put(SingleUnit(fn, args, kwargs, future))
        return future.result()

    def listen(self, topic: str, woken: Callable[[], None]) -> Callable[[], None]:
        """Call `woken` (on any thread) after each commit, here or in another process, that woke this topic.

        Gives a function that ends it. On PostgreSQL `woken` is also called when something may have been missed.
        """
        with self._ready:
            self._listeners[topic] = [*self._listeners.get(topic, ()), woken]
        self._transactor.listen(self._wake, lambda: self._wake(frozenset(self._listeners)))

        def end() -> None:
            with self._ready:
                left = list(self._listeners.get(topic, ()))
                if woken in left:
                    left.remove(woken)
                self._listeners[topic] = left

        return end

    async def close(self) -> None:
        """Finish what waits, then let go of the connections."""
        await asyncio.to_thread(self.close_blocking)

    def close_blocking(self) -> None:
        with self._ready:
            self._closing = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()
        self._transactor.close()

    def _put(self, unit: Unit) -> None:
        with self._ready:
            self._refuse_if_closing()
            self._enqueue(unit)

    def _refuse_if_closing(self) -> None:
        if self._closing:
            raise DatabaseClosed

    def _enqueue(self, unit: Unit) -> None:
        queue = self._queue_of(unit)
        if not queue.waiting:
            queue.since = time.monotonic()
        queue.waiting.append(unit)
        self._ready.notify()

    def _queue_of(self, unit: Unit) -> Queue:
        return self._urgent if unit.urgent else self._others

    def _serve(self) -> None:
        while units := self._take():
            topics = self._transactor.transact(units)
            deliver(units)
            self._wake(topics)
            self._put_back(units)

    def _take(self) -> list[Unit]:
        """What to do next, all of it urgent or none; nothing once the database is closing and nothing waits."""
        with self._ready:
            while (queue := self._next()) is None:
                if self._closing and not self._urgent.waiting and not self._others.waiting:
                    return []
                self._ready.wait()
            queue.running += 1
            units: list[Unit] = []
            size = 0
            while queue.waiting and size < self._transactor.shares:
                units.append(queue.waiting.popleft())
                size += units[-1].seize()
            return units

    def _next(self) -> Queue | None:
        """Whose turn it is. What is urgent goes first, but leaves one thread to everything else, and a turn now and then.

        More threads would take the processor from the webhooks: each of their statements waits for it anew.
        """
        urgent, others = self._urgent, self._others
        if urgent.waiting and not (others.waiting and not others.running and time.monotonic() - others.since > YIELDS):
            return urgent
        return others if others.waiting and not (urgent.running and others.running) else None

    def _put_back(self, units: Sequence[Unit]) -> None:
        """Queue the functions again for which more items came meanwhile."""
        with self._ready:
            queue = self._queue_of(units[0])
            queue.running -= 1
            queue.since = time.monotonic()
            for unit in units:
                if unit.rest():
                    self._enqueue(unit)
                elif isinstance(unit, GatheredUnit):
                    del self._gathering[unit.fn]
            self._ready.notify_all()

    def _wake(self, topics: frozenset[str]) -> None:
        for topic in topics:
            for woken in self._listeners.get(topic, ()):
                try:
                    woken()
                except Exception:  # a listener's fault must not stop a database thread
                    log.exception("listener_failed", topic=topic)


def give_up(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError("The database took too long."))


def open_db(url: str) -> Db:
    """Open the database at a URL: `sqlite:///replyline.db` or `postgresql://user@host/name`."""
    from replyline.db.postgres import PostgresTransactor
    from replyline.db.sqlite import SqliteTransactor

    backend = backend_of(url)
    return Db(url, SqliteTransactor(url) if backend == "sqlite" else PostgresTransactor(url))


def backend_of(url: str) -> str:
    """`sqlite` or `postgresql`. Raises `ReplylineError` for anything else."""
    backend = make_url(url).get_backend_name()
    if backend == "postgres":  # what many hosts write
        return "postgresql"
    if backend not in {"sqlite", "postgresql"}:
        raise ReplylineError(
            f"REPLYLINE_DATABASE_URL starts with {backend}, which Replyline cannot use; "
            "give sqlite:///… or postgresql://…"
        )
    return backend
