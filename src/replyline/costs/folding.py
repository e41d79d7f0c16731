"""Folds the sums now and then, and lets go of what is over: one work row for all processes."""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import Connection

from replyline.clock import Clock
from replyline.costs import budgets, hours, sums
from replyline.db import Db
from replyline.work import Claimed, arm, later

KIND = "costs_fold"
EVERY = timedelta(minutes=1)
BREATH = 0.03  # seconds between two transactions, for those who wait


def begin(conn: Connection, now: datetime) -> None:
    """Have the sums folded from now on."""
    arm(conn, kind=KIND, key="", due=now + EVERY, now=now)


class Fold:
    """Does the work row of kind `costs_fold`."""

    def __init__(self, db: Db, clock: Clock) -> None:
        self._db, self._clock = db, clock

    async def __call__(self, job: Claimed) -> None:
        for little in (sums.fold, self._forget):
            has_more = True
            while has_more:
                has_more = await self._db.run(little)
                await asyncio.sleep(BREATH)
        await self._db.run(later, job, due=self._clock.now() + EVERY, keep_attempts=False)

    def _forget(self, conn: Connection) -> bool:
        now = self._clock.now()
        hours.forget(conn, now)
        return budgets.forget(conn, now)
