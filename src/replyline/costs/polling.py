"""Twilio's own prices, which come late: asked for after 5 minutes, an hour, 6 hours and a day, a list at a time.

A message's price is empty at first, comes within minutes as a rule and within a day in rare cases, and no callback has
it (twilio.md 3.3). It has carrier fees in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, bindparam, case, func, select, type_coerce, update

from replyline.clock import Clock
from replyline.costs import ledger
from replyline.costs.ledger import Priced
from replyline.costs.prices import micros
from replyline.db import Db
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import charges, texts
from replyline.log import get_log
from replyline.twilio.client import Message, SendError, TwilioClient
from replyline.work import Claimed, arm, later
from replyline.work.worker import backoff

log = get_log(__name__)

KIND = "costs_prices"
EVERY = timedelta(minutes=5)
# When a message is looked at again, by its age, and when that ends: Twilio's "up to 24 h", and a day for good measure.
LOOKS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24), timedelta(hours=48))
FEW = 20  # messages that are asked for one by one; more are read from the list
AT_ONCE = 500  # prices written down in one transaction
CLOCK_SKEW = timedelta(minutes=2)
LONGEST_QUEUE = timedelta(hours=10)  # Twilio's: a message may be made long before it is sent


def begin(conn: Connection, now: datetime) -> None:
    """Have prices asked for from now on. One row, so that of many processes one asks."""
    arm(conn, kind=KIND, key="", due=now + EVERY, now=now)


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """The charges whose price is to be asked for now."""

    count: int
    oldest: datetime
    sids: Sequence[str]  # when they are few


class AskPrices:
    """Does the work row of kind `costs_prices`: one look at what the messages cost that have no price yet."""

    def __init__(self, db: Db, clock: Clock, twilio: TwilioClient) -> None:
        self._db, self._clock, self._twilio = db, clock, twilio

    async def __call__(self, job: Claimed) -> None:
        now = self._clock.now()
        try:
            if due := await self._db.run(due_now, now):
                await self._ask(due, now)
        except SendError as error:
            wait = max(min(backoff(job.attempts), EVERY * 12), EVERY)
            log.warning("prices_put_off", why=str(error), again_in=wait.total_seconds())
            await self._db.run(later, job, due=self._clock.now() + wait)
            return
        await self._db.run(later, job, due=self._clock.now() + EVERY, keep_attempts=False)

    async def _ask(self, due: Due, now: datetime) -> None:
        found = 0
        if due.sids:
            each = [await self._twilio.message(sid) for sid in due.sids]
            found += await self._keep([message for message in each if message])
        else:
            async for page in self._twilio.all_since(due.oldest - LONGEST_QUEUE - CLOCK_SKEW, now.date()):
                found += await self._keep(page)
        given_up = await self._db.run(look_later, now)
        if given_up:
            log.warning("prices_never_came", count=given_up)
        log.info("prices_found", count=found, of=due.count)

    async def _keep(self, messages: Sequence[Message]) -> int:
        return await keep(self._db, messages)


async def keep(db: Db, messages: Sequence[Message]) -> int:
    """Write down what messages cost, of those that are ours and have a price; gives how many prices were news."""
    priced = [each for each in messages if each.price is not None]
    changed = 0
    for start in range(0, len(priced), AT_ONCE):
        changed += await db.run(set_prices, priced[start : start + AT_ONCE])
    return changed


def set_prices(conn: Connection, messages: Sequence[Message]) -> int:
    ids = {row.sid: row.id for row in conn.execute(OURS, {"sids": sorted(each.sid for each in messages)})}
    return ledger.set_prices(
        conn,
        [
            Priced(
                text_id=ids[each.sid],
                micros=micros(each.price),
                currency=each.currency[:3],
                at=each.sent_at or each.created_at,
            )
            for each in messages
            if each.sid in ids and each.price is not None
        ],
    )


def due_now(conn: Connection, now: datetime) -> Due | None:
    count, oldest = conn.execute(HOW_MANY, {"now": now}).one()
    if not count:
        return None
    sids = conn.execute(SIDS, {"now": now, "most": FEW}).scalars().all() if count <= FEW else []
    return Due(count=count, oldest=oldest, sids=sids)


def look_later(conn: Connection, now: datetime) -> int:
    """Those that have no price still are looked at later, and the oldest not any more; gives how many those are."""
    conn.execute(LATER, {"now": now, **{f"before_{n}": now - age for n, age in enumerate(LOOKS)}})
    rows: Sequence[AnyRow] = conn.execute(GIVEN_UP, {"now": now, "long_ago": now - LOOKS[-1]}).all()
    before = [ledger.charge_of(row) for row in rows]
    ledger.put(conn, before, [replace(each, look_at=None) for each in before])
    return len(before)


_c = charges.c
_now = bindparam("now", type_=UtcTime)
_due = _c.look_at <= _now
OURS = select(texts.c.id, texts.c.sid).where(texts.c.sid.in_(bindparam("sids", expanding=True)))
HOW_MANY = select(func.count(), func.min(_c.at)).where(_due)
SIDS = (
    select(texts.c.sid)
    .join(charges, charges.c.of_id == texts.c.id)
    .where(_due, texts.c.sid.is_not(None))
    .limit(bindparam("most"))
)
_ages = [(_c.at > bindparam(f"before_{n}", type_=UtcTime), age) for n, age in enumerate(LOOKS)]
LATER = (
    update(charges)
    .where(_due, _c.at > bindparam(f"before_{len(LOOKS) - 1}", type_=UtcTime))
    .values(
        look_at=case(
            *[
                (is_younger, type_coerce(_c.at, BigInteger) + age // timedelta(microseconds=1))
                for is_younger, age in _ages
            ],
            else_=None,
        )
    )
)
GIVEN_UP = select(charges).where(_due, _c.at <= bindparam("long_ago", type_=UtcTime)).limit(5_000).with_for_update()
