"""Folds the sums now and then: one work row for all processes."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from replyline.clock import Clock
from replyline.costs import hours, sums
from replyline.db import Db
from replyline.work import Claimed, arm, later

KIND = "costs_fold"
EVERY = timedelta(minutes=1)


def begin(conn: Connection, now: datetime) -> None:
    """Have the sums folded from now on."""
    arm(conn, kind=KIND, key="", due=now + EVERY, now=now)


class Fold:
    """Does the work row of kind `costs_fold`."""

    def __init__(self, db: Db, clock: Clock) -> None:
        self._db, self._clock = db, clock

    async def __call__(self, job: Claimed) -> None:
        while await self._db.run(sums.fold):
            pass
        await self._db.run(hours.forget, self._clock.now())
        await self._db.run(later, job, due=self._clock.now() + EVERY, keep_attempts=False)
