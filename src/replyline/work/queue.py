"""The work table: a row is at once the queue entry, the lock of its key, and its crash recovery.

Claiming pushes `due` past a lease and writes a fresh `token`. Whoever holds the newest token may finish or put off
the row; a worker that lost its lease can change nothing. A crash just lets `due` come round again.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, bindparam, case, delete, func, null, select, tuple_, update
from sqlalchemy import type_coerce as as_type
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from replyline.db import wake
from replyline.db.columns import UtcTime
from replyline.db.tables import work
from replyline.errors import ReplylineError

# A worker renews at a third of this; a crashed one is replaced after it.
LEASE = timedelta(seconds=30)


class LostLease(ReplylineError):
    """Another worker has taken this work over, so nothing we found may be written down."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """Something to do, and when. On a row that waits already, the new `due` counts, but never past `since + within`."""

    kind: str
    key: str
    due: datetime
    now: datetime
    lane: str = ""
    priority: int = 5  # lower goes first: 1 replies, 5 notices and housekeeping, 9 campaigns
    within: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """A row that is ours until its lease ends."""

    kind: str
    key: str
    token: int
    attempts: int  # 1 the first time
    since: datetime


def arm(
    conn: Connection,
    *,
    kind: str,
    key: str,
    due: datetime,
    now: datetime,
    lane: str = "",
    priority: int = 5,
    within: timedelta | None = None,
) -> None:
    """Have something done at `due`: one row however often it is armed; once more afterwards when it is being done."""
    arm_many(conn, [Arm(kind=kind, key=key, due=due, now=now, lane=lane, priority=priority, within=within)])


def arm_many(conn: Connection, arms: Sequence[Arm]) -> None:
    """`arm` for many rows in one statement."""
    if not arms:
        return
    # The keys in one order everywhere, so that two transactions cannot wait for each other's rows.
    newest = {(a.kind, a.key): a for a in arms}
    rows = [arm_row(newest[key]) for key in sorted(newest)]
    conn.execute(ARM_POSTGRES if conn.dialect.name == "postgresql" else ARM_SQLITE, rows)
    for kind in {a.kind for a in arms}:
        wake(conn, topic_of(kind))


def claim(
    conn: Connection, *, owner: str, kinds: Sequence[str], limit: int, now: datetime, lease: timedelta = LEASE
) -> list[Claimed]:
    """Take up to `limit` rows that are due, the most urgent first. Rows another worker is just taking are passed over."""
    found = conn.execute(
        CLAIM,
        {
            "now": now,
            "kinds": list(kinds),
            "limit": limit,
            "until": now + lease,
            "owner": owner,
            # Fresh, not counted up: a row that was finished and armed anew must not meet its old holder's token again.
            "fresh": int.from_bytes(os.urandom(8)) >> 1,
        },
    ).all()
    return [Claimed(kind=r.kind, key=r.key, token=r.token, attempts=r.attempts, since=r.since) for r in found]


def next_due(conn: Connection, *, kinds: Sequence[str]) -> datetime | None:
    """When the next row of these kinds is due."""
    due: datetime | None = conn.execute(NEXT_DUE, {"kinds": list(kinds)}).scalar()
    return due


def renew(conn: Connection, claimed: Sequence[Claimed], *, now: datetime, lease: timedelta = LEASE) -> set[str]:
    """Push the leases on; gives the `kind:key` of those that are still ours."""
    still = set()
    for job in claimed:
        if conn.execute(RENEW, holder(job) | {"until": now + lease}).rowcount:
            still.add(f"{job.kind}:{job.key}")
    return still


def finish(conn: Connection, job: Claimed, *, now: datetime) -> None:
    """Done: the row goes, or waits once more if it was armed meanwhile. Raises `LostLease`, which undoes everything."""
    if conn.execute(FINISH, holder(job)).rowcount:
        return
    if not conn.execute(RUN_ONCE_MORE, holder(job) | {"at": now}).rowcount:
        raise LostLease(f"The work {job.kind} {job.key} belongs to another worker now.")
    wake(conn, topic_of(job.kind))


def finish_many(conn: Connection, jobs: Sequence[Claimed], *, now: datetime) -> None:
    """`finish` for many rows whose leases the caller has already checked in this transaction."""
    if jobs:
        conn.execute(FINISH_MANY, [holder(job) for job in jobs])
        conn.execute(RUN_MANY_ONCE_MORE, [holder(job) | {"at": now} for job in jobs])


def later(conn: Connection, job: Claimed, *, due: datetime, keep_attempts: bool = True) -> None:
    """Put it off until `due`, or until it is next armed if that is sooner. Raises `LostLease`."""
    put = LATER if keep_attempts else LATER_AFRESH
    if not conn.execute(put, holder(job) | {"at": due}).rowcount:
        raise LostLease(f"The work {job.kind} {job.key} belongs to another worker now.")
    wake(conn, topic_of(job.kind))


def hand_back(conn: Connection, claimed: Sequence[Claimed], *, now: datetime) -> None:
    """Give up rows that were claimed and not begun or not ended, so that another worker takes them at once."""
    for job in claimed:
        conn.execute(HAND_BACK, holder(job) | {"at": now})
        wake(conn, topic_of(job.kind))


def held(conn: Connection, claimed: Sequence[Claimed]) -> set[tuple[str, str]]:
    """Which of these rows are still ours; they stay locked until the transaction ends."""
    keys = [(job.kind, job.key) for job in claimed]
    found = conn.execute(HELD, {"keys": keys}).all()
    tokens = {(job.kind, job.key): job.token for job in claimed}
    return {(r.kind, r.key) for r in found if tokens[(r.kind, r.key)] == r.token}


def topic_of(kind: str) -> str:
    """The wake-up topic of one kind of work."""
    return f"work.{kind}"


def arm_row(a: Arm) -> dict[str, object]:
    # A thousand years stands for "no limit": a number compares the same way on both engines, a null does not.
    within = a.within if a.within is not None else timedelta(days=365_000)
    return {
        "kind": a.kind,
        "key": a.key,
        "lane": a.lane,
        "priority": a.priority,
        "since": a.now,
        "due": a.due,
        "within": within // timedelta(microseconds=1),
    }


def holder(job: Claimed) -> dict[str, object]:
    return {"of_kind": job.kind, "of_key": job.key, "with_token": job.token}


def _arm(insert: type[postgres_insert] | type[sqlite_insert]) -> postgres_insert | sqlite_insert:
    statement = insert(work).values(
        kind=bindparam("kind"),
        key=bindparam("key"),
        lane=bindparam("lane"),
        priority=bindparam("priority"),
        since=bindparam("since"),
        due=bindparam("due"),
    )
    cap = as_type(work.c.since, BigInteger) + bindparam("within", type_=BigInteger)
    new = as_type(statement.excluded.due, BigInteger)
    sooner = case((new < cap, new), else_=cap)
    is_held = work.c.owner.is_not(None)
    return statement.on_conflict_do_update(
        index_elements=["kind", "key"],
        set_={
            "due": case((is_held, as_type(work.c.due, BigInteger)), else_=sooner),
            "again": case((is_held, statement.excluded.due), else_=None),
            "priority": case((is_held, work.c.priority), else_=statement.excluded.priority),
        },
    )


ARM_POSTGRES = _arm(postgres_insert)
ARM_SQLITE = _arm(sqlite_insert)

_due_now = (
    select(work.c.kind, work.c.key)
    .where(work.c.due <= bindparam("now", type_=UtcTime), work.c.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(work.c.priority, work.c.due)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
    .cte("due_now")
)
CLAIM = (
    update(work)
    .where(tuple_(work.c.kind, work.c.key).in_(select(_due_now.c.kind, _due_now.c.key)))
    .values(
        due=bindparam("until", type_=UtcTime),
        token=bindparam("fresh", type_=BigInteger),
        attempts=work.c.attempts + 1,
        owner=bindparam("owner"),
    )
    .returning(work.c.kind, work.c.key, work.c.token, work.c.attempts, work.c.since)
)
NEXT_DUE = select(func.min(work.c.due)).where(work.c.kind.in_(bindparam("kinds", expanding=True)))

_mine = (
    work.c.kind == bindparam("of_kind"),
    work.c.key == bindparam("of_key"),
    work.c.token == bindparam("with_token"),
)
RENEW = update(work).where(*_mine).values(due=bindparam("until", type_=UtcTime))
FINISH = delete(work).where(*_mine, work.c.again.is_(None))
FINISH_MANY = FINISH
_rest = {"owner": None, "attempts": 0, "again": None}
RUN_ONCE_MORE = update(work).where(*_mine).values(due=work.c.again, since=bindparam("at", type_=UtcTime), **_rest)
RUN_MANY_ONCE_MORE = (
    update(work)
    .where(*_mine, work.c.again.is_not(None))
    .values(due=work.c.again, since=bindparam("at", type_=UtcTime), **_rest)
)
_at = bindparam("at", type_=UtcTime)
_sooner = case((work.c.again < _at, work.c.again), else_=_at)
LATER = update(work).where(*_mine).values(due=_sooner, owner=None, again=null())
LATER_AFRESH = update(work).where(*_mine).values(due=_sooner, owner=None, again=null(), attempts=0)
HAND_BACK = update(work).where(*_mine).values(due=_sooner, owner=None, again=null(), attempts=work.c.attempts - 1)
HELD = (
    select(work.c.kind, work.c.key, work.c.token)
    .where(tuple_(work.c.kind, work.c.key).in_(bindparam("keys", expanding=True)))
    .order_by(work.c.kind, work.c.key)
    .with_for_update()
)
