"""Telling people: each address hears of each alert in the order in which it happened, and again until it has."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update

from replyline.alerts.addresses import KINDS, Address, Words
from replyline.alerts.level import Level
from replyline.alerts.raising import to_tell
from replyline.alerts.transitions import Event
from replyline.clock import Clock
from replyline.db import Db
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import alert_tellings
from replyline.log import get_log
from replyline.work import Claimed, finish, later
from replyline.work.worker import backoff

log = get_log(__name__)

GIVE_UP_AFTER = timedelta(days=1)  # what still goes on then is told anew, as a reminder


class Tell:
    """Does the work rows of kind `alert`: what there is to tell of one alert."""

    def __init__(self, *, db: Db, clock: Clock, name: str, addresses: Sequence[Address]) -> None:
        self._db, self._clock, self._name, self._addresses = db, clock, name, addresses

    async def __call__(self, job: Claimed) -> None:
        rows = await self._db.run(to_tell, job.key)
        await asyncio.gather(*(self._tell_in_order(address, rows) for address in self._addresses))
        marks = {address.mark for address in self._addresses}
        await self._db.run(settle, job, marks, self._clock.now())

    async def _tell_in_order(self, address: Address, rows: Sequence[AnyRow]) -> None:
        """The end of an alert must not come before its beginning, so the first that fails holds up those after it."""
        for row in rows:
            if address.mark in row.told:
                continue
            told = await address.tell(words_of(row, self._name))
            if not told.is_told:
                log.warning("alert_not_told", key=row.key, alert=row.event, address=address.name, why=told.why)
                return
            await self._db.run(note_told, row.id, address.mark)


def words_of(row: AnyRow, name: str) -> Words:
    """What is told, in words."""
    event, level = Event(row.event), Level(row.level)
    span = f"since {row.since:%Y-%m-%d %H:%M} UTC"
    heads = {
        Event.BEGAN: "wrong" if level is Level.WRONG else "look",
        Event.WORSE: "worse",
        Event.STILL: "goes on",
        Event.ENDED: "over",
    }
    bodies = {
        Event.BEGAN: row.says,
        Event.WORSE: f"{row.says} It goes on {span}, and has got worse.",
        Event.STILL: f"{row.says} It goes on {span}.",
        Event.ENDED: f"It is over. It went on {span} until {row.at:%Y-%m-%d %H:%M} UTC. It was: {row.says}",
    }
    return Words(
        title=f"{name}: {row.key}: {heads[event]}",
        body=bodies[event],
        kind="success" if event is Event.ENDED else KINDS[level],
        about=f"replyline/{name}/{row.key}"[:255],
    )


def note_told(conn: Connection, telling: str, mark: str) -> None:
    """An address was told: a fact, whoever holds the work now."""
    told = conn.execute(TOLD, {"of": telling}).scalar_one()
    if mark not in told:
        conn.execute(NOTE, {"of": telling, "now_told": [*told, mark]})


def settle(conn: Connection, job: Claimed, marks: set[str], now: datetime) -> None:
    """What all have been told is over; for the rest try again, each time later, for a day."""
    left = 0
    for row in to_tell(conn, job.key):
        missing = marks - set(row.told)
        if missing and now - row.at < GIVE_UP_AFTER:
            left += 1
            continue
        if missing:
            log.error("alert_given_up", key=row.key, alert=row.event, addresses=len(missing))
        conn.execute(OVER, {"of": row.id, "now": now})
    if left:
        later(conn, job, due=now + backoff(job.attempts))
    else:
        finish(conn, job, now=now)


TOLD = select(alert_tellings.c.told).where(alert_tellings.c.id == bindparam("of")).with_for_update()
NOTE = update(alert_tellings).where(alert_tellings.c.id == bindparam("of")).values(told=bindparam("now_told"))
OVER = (
    update(alert_tellings).where(alert_tellings.c.id == bindparam("of")).values(over_at=bindparam("now", type_=UtcTime))
)
