"""The database's clock, which rules where several machines share one: theirs may differ, and be set.

On SQLite everybody is on one machine and reads one clock, its own; there a clock kept by each process for itself could
only make them disagree.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from replyline.clock import Clock, SystemClock, steady
from replyline.db.database import Db
from replyline.log import get_log

EVERY = 10.0  # seconds between two looks: a third of a lease
LOOKS = 3  # of which the quickest tells most
NOTABLE = 1.0  # seconds; what machines drift apart between two looks is far less
SLOWED = 0.5  # how fast the clock goes while the database's catches up with it

log = get_log(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Between which two values the database's clock less our steady one lies, in seconds: a round trip apart."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """How to tell the database's time from the steady clock: add `offset`, and what is left of being `ahead`."""

    offset: float
    ahead: float = 0.0
    since: float = 0.0

    def at(self, moment: float) -> float:
        return moment + self.offset + max(self.ahead - (moment - self.since) * SLOWED, 0)


class DatabaseClock:
    """Follows the database's clock: looked at now and then, kept going in between whatever is done to the machine's.

    It leaps forward when it has fallen behind, as after a machine has slept. It never goes back: when it is ahead, it goes
    at half speed until it is not. Until it has been told the database's time it goes by the machine's.
    """

    def __init__(self, machine: Clock | None = None, *, steadily: Callable[[], float] = steady) -> None:
        self._steadily = steadily
        self._machine = machine or SystemClock()
        self._course: Course | None = None

    def now(self) -> datetime:
        if self._course is None:
            return self._machine.now()
        return EPOCH + timedelta(seconds=self._course.at(self._steadily()))

    async def sleep(self, seconds: float) -> None:
        await self._machine.sleep(seconds)

    def look(self, conn: Connection) -> Bounds:
        """Ask the database what time it is, and how sure that is."""
        return min((self._ask(conn) for _ in range(LOOKS)), key=lambda bounds: bounds.high - bounds.low)

    def follow(self, seen: Bounds) -> None:
        """Go by what was seen: by the middle at first, and afterwards no further than there is reason to."""
        moment = self._steadily()
        if self._course is None:
            self._course = Course(offset=seen.middle)
            self._compare_with_machine()
            return
        shown = self._course.at(moment) - moment
        offset = min(max(self._course.offset, seen.low), seen.high)
        if abs(moved := offset - self._course.offset) > NOTABLE:
            log.warning("clock_moved", by=round(moved, 3))
        self._course = Course(offset=offset, ahead=max(shown - offset, 0), since=moment)

    def _ask(self, conn: Connection) -> Bounds:
        before = self._steadily()
        told = int(conn.execute(NOW).scalar_one()) / 1_000_000
        return Bounds(low=told - self._steadily(), high=told - before)

    def _compare_with_machine(self) -> None:
        ahead = (self._machine.now() - self.now()).total_seconds()
        if abs(ahead) > NOTABLE:
            log.warning("machine_clock_differs", ahead=round(ahead, 3))


EPOCH = datetime.fromtimestamp(0, UTC)
NOW = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


def clock_of(db: Db) -> Clock:
    """The clock that everyone who works on this database goes by."""
    return DatabaseClock() if db.engine_name == "postgresql" else SystemClock()


def now_of(db: Db) -> datetime:
    """What that clock says, for a command that asks once."""
    clock = clock_of(db)
    if isinstance(clock, DatabaseClock):
        clock.follow(db.run_blocking(clock.look))
    return clock.now()


@contextlib.asynccontextmanager
async def following(clock: Clock, db: Db) -> AsyncIterator[None]:
    """Keep a clock to the database's; one of another kind needs nothing."""
    if not isinstance(clock, DatabaseClock):
        yield
        return
    clock.follow(await db.run(clock.look))
    task = asyncio.create_task(go_on_following(clock, db))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def go_on_following(clock: DatabaseClock, db: Db) -> None:
    while True:
        await asyncio.sleep(EVERY)
        try:
            clock.follow(await db.run(clock.look))
        except Exception:  # it goes on by itself; two machines drift apart by a second in several hours
            log.exception("clock_not_followed")
