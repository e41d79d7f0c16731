"""What a line keeps no longer goes by itself: once a day, a little at a time, and it is written down how much."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from replyline.clock import Clock
from replyline.db import Db, new_id
from replyline.db.both import if_new
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import audit_events, conversations, delivery_reports, retention_passes, work
from replyline.log import get_log
from replyline.people import old_consent, too_old
from replyline.people.too_old import KINDS, kept_until
from replyline.plugins.keeps import Keeps
from replyline.plugins.line import Line
from replyline.rules.person import ERASED
from replyline.work import Claimed, LostLease, arm, finish, held, later

log = get_log(__name__)

KIND = "retention"
EVERY = timedelta(days=1)
OF_OTHERS = timedelta(minutes=1)  # another line's row is left to its own worker
AFTER_START = timedelta(minutes=1)  # people who wrote while nobody was there come first
# Of one transaction, which a webhook may have to wait for; and of one run, before other work gets a turn.
CONVERSATIONS, PHONES, ROWS = 10, 20, 100
STEPS = 1000
PAUSE = 0.005  # seconds between two transactions, at least; as long as one took, so that half the time is others'

Counts = dict[str, int]


def begin(conn: Connection, line: Line, now: datetime) -> None:
    """Have a line look for what is too old, unless that is so already."""
    if line.keeps and conn.execute(IS_ARMED, {"of_line": line.key}).first() is None:
        arm(conn, kind=KIND, key=line.key, due=now + AFTER_START, now=now, priority=9)


class Retention:
    """Does the work row of one line: a pass through its conversations, then through the people in its ledger."""

    def __init__(self, db: Db, clock: Clock, line: Line, *, secret: bytes) -> None:
        self._db, self._clock, self._line, self._secret = db, clock, line, secret

    async def __call__(self, job: Claimed) -> None:
        if job.key != self._line.key:
            await self._db.run(later, job, due=self._clock.now() + OF_OTHERS)
            return
        if not self._line.keeps:
            await self._db.run(finish, job, now=self._clock.now())
            return
        for _ in range(STEPS):
            began = time.monotonic()
            if await self._db.run(step, job, self._line, secret=self._secret, now=self._clock.now()):
                return
            await asyncio.sleep(max(PAUSE, time.monotonic() - began))
        await self._db.run(later, job, due=self._clock.now(), keep_attempts=False)


def step(conn: Connection, job: Claimed, line: Line, *, secret: bytes, now: datetime) -> bool:
    """Take away a little, in one transaction that remembers how far it came; true at the end of a pass."""
    if not held(conn, [job]):
        raise LostLease(f"The work {job.kind} {job.key} belongs to another worker now.")
    BEGIN(conn, {"line": line.key, "began_at": now, "stage": "conversations", "counts": {}})
    at = conn.execute(PASS, {"of_line": line.key}).one()
    if at.stage == "end":
        end(conn, job, at, now)
        return True
    stage, after, gone = STAGES[at.stage](conn, line, at, secret, now)
    counts = {name: at.counts.get(name, 0) + gone.get(name, 0) for name in at.counts | gone}
    conn.execute(MOVE_ON, {"of_line": line.key, "to": stage, "behind": after, "so_far": counts})
    return False


def end(conn: Connection, job: Claimed, at: AnyRow, now: datetime) -> None:
    conn.execute(AUDIT, {"id": new_id("aud"), "line": at.line, "at": now, "actor": "replyline", "kind": "retention",
                         "person": None, "details": at.counts})  # fmt: skip
    conn.execute(END, {"of_line": at.line})
    later(conn, job, due=max(at.began_at + EVERY, now), keep_attempts=False)
    log.info("kept_no_longer", line=at.line, **at.counts)


Went = tuple[str, str, Counts]  # the stage to go on with, behind which record of it, and what went


def through_conversations(conn: Connection, line: Line, at: AnyRow, secret: bytes, now: datetime) -> Went:
    ids = next_conversations(conn, line, at.after, now)
    if not ids:
        return "strangers", "", {}
    resting = too_old.at_rest(conn, ids)
    gone, is_full = {}, False
    for name, before in limits(line.keeps, now):
        gone[name] = too_old.take(conn, KINDS[name], resting, before, now, most=ROWS) if resting else 0
        is_full = is_full or gone[name] == ROWS
    return "conversations", at.after if is_full else ids[-1], gone


def through_strangers(conn: Connection, line: Line, at: AnyRow, secret: bytes, now: datetime) -> Went:
    """Delivery reports of texts that nobody knows: they have numbers in them, and no text that they would go with."""
    before = kept_until(line.keeps, "reports", now)
    found = conn.execute(STRANGERS, {"before": before, "most": ROWS}).scalars().all() if before else []
    if found:
        conn.execute(NO_STRANGERS, {"ids": list(found)})
    return "strangers" if len(found) == ROWS else "people", "", {"reports": len(found)}


def through_people(conn: Connection, line: Line, at: AnyRow, secret: bytes, now: datetime) -> Went:
    phones = old_consent.phones_after(conn, line.key, at.after, most=PHONES) if line.keeps.forgets_people else []
    if not phones:
        return "end", "", {}
    due = old_consent.due_among(conn, line.key, phones, line.keeps, now)
    return "people", phones[-1], old_consent.take(conn, line.key, due, secret=secret)


STAGES = {"conversations": through_conversations, "strangers": through_strangers, "people": through_people}


def foresee(db: Db, line: Line, now: datetime) -> Counts:
    """What would go just now, by kind. It changes nothing."""
    counts: Counts = {}
    after = ""
    while ids := db.run_blocking(next_conversations, line, after, now):
        for name, number in db.run_blocking(count_in, line.keeps, ids, now).items():
            counts[name] = counts.get(name, 0) + number
        after = ids[-1]
    after = ""
    while phones := db.run_blocking(old_consent.phones_after, line.key, after, most=PHONES):
        for name, number in db.run_blocking(count_people, line, phones, now).items():
            counts[name] = counts.get(name, 0) + number
        after = phones[-1]
    return counts


def count_in(conn: Connection, keeps: Keeps, ids: Sequence[str], now: datetime) -> Mapping[str, int]:
    resting = too_old.at_rest(conn, ids)
    return {name: too_old.count(conn, KINDS[name], resting, before) for name, before in limits(keeps, now) if resting}


def count_people(conn: Connection, line: Line, phones: Sequence[str], now: datetime) -> Counts:
    return old_consent.count(conn, line.key, old_consent.due_among(conn, line.key, phones, line.keeps, now))


def next_conversations(conn: Connection, line: Line, after: str, now: datetime) -> Sequence[str]:
    """The next conversations that may have something too old; none when the line keeps everything of that kind."""
    oldest_limit = max((before for _, before in limits(line.keeps, now)), default=None)
    if oldest_limit is None:
        return []
    given = {"of_line": line.key, "behind": after, "before": oldest_limit, "most": CONVERSATIONS}
    return conn.execute(NEXT, given).scalars().all()


def limits(keeps: Keeps, now: datetime) -> list[tuple[str, datetime]]:
    """The kinds of what conversations have that do go, and from before when."""
    return [(name, before) for name in KINDS if (before := kept_until(keeps, name, now))]


IS_ARMED = select(work.c.key).where(work.c.kind == KIND, work.c.key == bindparam("of_line"))
BEGIN = if_new(retention_passes)
_of_line = retention_passes.c.line == bindparam("of_line")
PASS = select(retention_passes).where(_of_line)
MOVE_ON = (
    update(retention_passes)
    .where(_of_line)
    .values(stage=bindparam("to"), after=bindparam("behind"), counts=bindparam("so_far"))
)
END = delete(retention_passes).where(_of_line)
NEXT = (
    select(conversations.c.id)
    .where(
        conversations.c.line == bindparam("of_line"),
        conversations.c.id > bindparam("behind"),
        conversations.c.created_at < bindparam("before", type_=UtcTime),
        conversations.c.phone.not_like(f"{ERASED}%"),
    )
    .order_by(conversations.c.id)
    .limit(bindparam("most"))
)
STRANGERS = (
    select(delivery_reports.c.id)
    .where(delivery_reports.c.text_id.is_(None), delivery_reports.c.received_at < bindparam("before", type_=UtcTime))
    .limit(bindparam("most"))
)
NO_STRANGERS = delete(delivery_reports).where(delivery_reports.c.id.in_(bindparam("ids", expanding=True)))
AUDIT = insert(audit_events)
