"""A look at everything, each minute, by one process at a time; people are told of what has changed since the last."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from replyline.alerts import raising
from replyline.clock import Clock
from replyline.db import Db
from replyline.watch.conditions import conditions
from replyline.watch.gather import gather
from replyline.work import Claimed, arm, later

KIND = "alert_look"
EVERY = timedelta(minutes=1)


def begin(conn: Connection, now: datetime) -> None:
    """Have a look taken soon, and each minute from then on: one row, however many processes ask."""
    arm(conn, kind=KIND, key="all", due=now + EVERY, now=now, priority=1)


class Look:
    """Does the work row of kind `alert_look`."""

    def __init__(self, db: Db, clock: Clock, zone: str = "UTC") -> None:
        self._db, self._clock, self._zone = db, clock, zone

    async def __call__(self, job: Claimed) -> None:
        await self._db.run(look_and_go_on, job, self._clock.now(), self._zone)


def look_and_go_on(conn: Connection, job: Claimed, now: datetime, zone: str = "UTC") -> None:
    """Raises `LostLease`, and then nothing of it is kept."""
    later(conn, job, due=now + EVERY, keep_attempts=False)
    look(conn, now, zone)


def look(conn: Connection, now: datetime, zone: str = "UTC") -> None:
    """Look at everything, and note what began, got worse, goes on or ended."""
    watched = {alert.key for alert in raising.going_on(conn) if alert.is_watched}
    for each in conditions(gather(conn, now, zone), watched):
        raising.note(conn, each.key, each.level, each.says, now, is_watched=True)
    raising.remind_of_raised(conn, now)
    raising.forget(conn, now)
