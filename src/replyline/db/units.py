"""What waits for a database thread: one function call, or many items for the same function."""

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import Connection

from replyline.db.errors import DatabaseDown, OutcomeUnknown
from replyline.log import get_log

log = get_log(__name__)

AnyFuture = asyncio.Future[Any] | concurrent.futures.Future[Any]
Step = Callable[[Connection], Any]

# A set stays well under the limits of both engines (32,766 parameters on SQLite), and is done before a webhook that has
# just missed it has waited long. Webhooks, of which more wait the longer one set takes, go in larger ones.
LARGEST_SET, LARGEST_URGENT_SET = 40, 100
# Results told in one pass of an event loop. Each wakes somebody who may then work for some milliseconds.
TOLD_AT_ONCE = 3


class Settled(NamedTuple):
    """A future and what it shall be told."""

    future: AnyFuture
    value: Any
    error: BaseException | None


UNTOLD: WeakKeyDictionary[asyncio.AbstractEventLoop, deque[Settled]] = WeakKeyDictionary()


class Call(Protocol):
    """Runs one step of a unit so that its failure undoes that step alone."""

    def __call__(self, step: Step) -> Any: ...


class Unit(Protocol):
    """Something a database thread can do in a transaction."""

    settled: list[Settled]
    urgent: bool  # it goes before all others that wait, and its results are told before others'

    def seize(self) -> int:
        """Fix what belongs to this round, and say how much it is; what comes later waits for the next."""

    def run(self, guarded: Call) -> None:
        """Do the work, leaving results in `settled`."""

    def fail(self, error: BaseException) -> None:
        """Give everyone in this round the same error, because the transaction itself was lost."""

    def rest(self) -> bool:
        """Whether more has come and the unit must wait for a thread again."""


class SingleUnit:
    """One call of a plain function."""

    __slots__ = ("args", "fn", "future", "kwargs", "settled", "urgent")

    def __init__(
        self, fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], future: AnyFuture
    ) -> None:
        self.fn, self.args, self.kwargs, self.future = fn, args, kwargs, future
        self.settled: list[Settled] = []
        self.urgent = False

    def seize(self) -> int:
        self.settled = []
        return 1

    def run(self, guarded: Call) -> None:
        try:
            self.settled = [Settled(self.future, guarded(self._step), None)]
        except BaseException as error:  # whatever it is, it belongs to the one who asked
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        self.settled = [Settled(self.future, None, error)]

    def rest(self) -> bool:
        return False

    def _step(self, conn: Connection) -> Any:
        return self.fn(conn, *self.args, **self.kwargs)


class GatheredUnit:
    """Items that wait for the same function. At most one round of it runs at a time in a process.

    One round at a time is what makes sets grow under load, and it keeps two of our own sets from deadlocking
    over the same rows. `add`, `seize` and `rest` are called with the database's lock held.
    """

    __slots__ = ("_is_idle", "_round", "_waiting", "fn", "settled", "urgent")

    def __init__(self, fn: Callable[..., Sequence[Any]], *, urgent: bool = False) -> None:
        self.fn, self.urgent = fn, urgent
        self.settled: list[Settled] = []
        self._waiting: list[tuple[Any, AnyFuture]] = []
        self._round: list[tuple[Any, AnyFuture]] = []
        self._is_idle = True

    def add(self, item: Any, future: AnyFuture) -> bool:
        """Add an item; true when the unit has to be queued for a thread."""
        self._waiting.append((item, future))
        was_idle, self._is_idle = self._is_idle, False
        return was_idle

    def seize(self) -> int:
        largest = LARGEST_URGENT_SET if self.urgent else LARGEST_SET
        self._round, self._waiting = self._waiting[:largest], self._waiting[largest:]
        self.settled = []
        return len(self._round)

    def run(self, guarded: Call) -> None:
        items = [item for item, _ in self._round]
        try:
            values = guarded(lambda conn: self._answers(conn, items))
        except (DatabaseDown, OutcomeUnknown) as error:  # what might have been kept must not be done once more
            self.fail(error)
        except BaseException as error:
            if len(items) == 1:
                self.fail(error)
            else:
                # It should be rare: a set that always fails works, only several times slower.
                log.warning("set_failed", of=self.fn.__qualname__, count=len(items), error=type(error).__name__)
                self.settled = [self._alone(guarded, item, future) for item, future in self._round]
        else:
            self.settled = [Settled(f, v, None) for (_, f), v in zip(self._round, values, strict=True)]

    def fail(self, error: BaseException) -> None:
        self.settled = [Settled(future, None, error) for _, future in self._round]

    def rest(self) -> bool:
        self._round = []
        self._is_idle = not self._waiting
        return not self._is_idle

    def _alone(self, guarded: Call, item: Any, future: AnyFuture) -> Settled:
        try:
            return Settled(future, guarded(lambda conn: self._answers(conn, [item]))[0], None)
        except BaseException as error:
            return Settled(future, None, error)

    def _answers(self, conn: Connection, items: Sequence[Any]) -> Sequence[Any]:
        answers = self.fn(conn, items)
        if len(answers) != len(items):
            raise AssertionError(f"{self.fn.__qualname__} gave {len(answers)} answers to {len(items)} items.")
        return answers


def deliver(units: Sequence[Unit]) -> None:
    """Tell every future its result, through one call into each event loop, however many results."""
    by_loop: dict[asyncio.AbstractEventLoop, tuple[list[Settled], list[Settled]]] = {}
    for unit in units:
        for each in unit.settled:
            if isinstance(each.future, concurrent.futures.Future):
                tell(each)
            else:
                urgent, other = by_loop.setdefault(each.future.get_loop(), ([], []))
                (urgent if unit.urgent else other).append(each)
    for loop, (urgent, other) in by_loop.items():
        try:
            loop.call_soon_threadsafe(tell_all, loop, urgent, other)
        except RuntimeError:  # the loop was closed while we worked, so nobody waits any more
            continue


def tell_all(loop: asyncio.AbstractEventLoop, urgent: Sequence[Settled], other: Sequence[Settled]) -> None:
    """What is urgent now, and the rest behind what waits to be told already."""
    for each in urgent:
        tell(each)
    waiting = UNTOLD.setdefault(loop, deque())
    was_empty = not waiting
    waiting.extend(other)
    if was_empty and waiting:
        tell_some(loop, waiting)


def tell_some(loop: asyncio.AbstractEventLoop, waiting: deque[Settled]) -> None:
    """A few now, and more when the loop has looked at its connections: a webhook must not wait for a hundred turns."""
    for _ in range(min(TOLD_AT_ONCE, len(waiting))):
        tell(waiting.popleft())
    if waiting:
        loop.call_soon(tell_some, loop, waiting)


def tell(settled: Settled) -> None:
    future, value, error = settled
    if future.done():  # whoever asked was cancelled; the work is done all the same
        return
    if error is None:
        future.set_result(value)
    elif isinstance(error, StopIteration):  # a future cannot carry one
        future.set_exception(RuntimeError("The function let a StopIteration escape."))
    else:
        future.set_exception(error)
