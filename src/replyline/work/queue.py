"""The work table: a row is at once the queue entry, the lock of its key, and its crash recovery.

Claiming pushes `due` past a lease and writes a fresh `token`. Whoever holds the newest token may finish or put off
the row; a worker that lost its lease can change nothing. A crash just lets `due` come round again, and at once when a
worker starts on the same machine.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    null,
    select,
    tuple_,
    union_all,
    update,
)

from replyline.db import wake
from replyline.db.columns import UtcTime, micros
from replyline.db.sets import SetStatement
from replyline.db.tables import work
from replyline.errors import ReplylineError
from replyline.work.owner import is_dead

# A worker renews at a third of this; a crashed one is replaced after it, or as soon as one starts where it was.
LEASE = timedelta(seconds=30)

# Lower goes first. A closed list, so that a claim reads the index at one place for each and never sorts a backlog.
PRIORITIES = (0, 1, 5, 9)  # what the law wants at once, replies, notices and housekeeping, campaigns


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
    priority: int = 5  # one of PRIORITIES
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
    """`arm` for many rows in one statement; of several for one row, the last counts."""
    if not arms:
        return
    newest = {(a.kind, a.key): a for a in arms}
    # The keys in one order everywhere, so that two transactions cannot wait for each other's rows.
    for within, some in groupby([newest[key] for key in sorted(newest)], key=lambda a: a.within):
        # A thousand years stands for "no limit": a number compares the same way on both engines, a null does not.
        patience = (timedelta(days=365_000) if within is None else within) // timedelta(microseconds=1)
        ARM(conn, [arm_row(a) for a in some], patience, patience)
    for kind in {a.kind for a in arms}:
        wake(conn, topic_of(kind))


def claim(
    conn: Connection, *, owner: str, kinds: Sequence[str], limit: int, now: datetime, lease: timedelta = LEASE
) -> list[Claimed]:
    """Take up to `limit` rows that are due, the most urgent first; of equal urgency in the order of `kinds`.

    Rows that another worker is just taking are passed over.
    """
    found = conn.execute(due_rows(len(kinds)), by_kind(kinds) | {"now": now, "limit": limit}).all()
    if not found:
        return []
    # Fresh, not counted up: a row that was finished and armed anew must not meet its old holder's token again.
    token = int.from_bytes(os.urandom(8)) >> 1
    taken = {"keys": [(r.kind, r.key) for r in found], "until": now + lease, "fresh": token, "by": owner}
    conn.execute(TAKE, taken)
    return [Claimed(kind=r.kind, key=r.key, token=token, attempts=r.attempts + 1, since=r.since) for r in found]


def next_due(conn: Connection, *, kinds: Sequence[str]) -> datetime | None:
    """When the next row of these kinds is due, or the lease of one that is held ends."""
    due: datetime | None = conn.execute(soonest(len(kinds)), by_kind(kinds)).scalar()
    return due


def renew(conn: Connection, claimed: Sequence[Claimed], *, now: datetime, lease: timedelta = LEASE) -> set[Claimed]:
    """Push the leases on; gives those that are still ours."""
    still = ours(conn, claimed)
    if still:
        conn.execute(RENEW, {"holders": holders(still), "until": now + lease})
    return still


def finish(conn: Connection, job: Claimed, *, now: datetime) -> None:
    """Done: the row goes, or waits once more if it was armed meanwhile. Raises `LostLease`, which undoes everything."""
    if conn.execute(FINISH, holder(job)).rowcount:
        return
    if not conn.execute(RUN_ONCE_MORE, holder(job) | {"at": now}).rowcount:
        raise LostLease(f"The work {job.kind} {job.key} belongs to another worker now.")
    wake(conn, topic_of(job.kind))


def finish_many(conn: Connection, jobs: Sequence[Claimed], *, now: datetime) -> None:
    """`finish` for many rows whose leases the caller has checked with `held` in this transaction."""
    if not jobs:
        return
    gone = conn.execute(FINISH_MANY, {"holders": holders(jobs)}).rowcount
    if gone < len(jobs):
        conn.execute(RUN_MANY_ONCE_MORE, {"holders": holders(jobs), "at": now})
        for kind in {job.kind for job in jobs}:
            wake(conn, topic_of(kind))


def later(conn: Connection, job: Claimed, *, due: datetime, keep_attempts: bool = True) -> None:
    """Put it off until `due`, or until it was armed for meanwhile if that is sooner. Raises `LostLease`."""
    put = LATER if keep_attempts else LATER_AFRESH
    if not conn.execute(put, holder(job) | {"at": due}).rowcount:
        raise LostLease(f"The work {job.kind} {job.key} belongs to another worker now.")
    wake(conn, topic_of(job.kind))


def hand_back(conn: Connection, claimed: Sequence[Claimed], *, now: datetime) -> None:
    """Give up rows that were claimed and not begun or not ended, so that another worker takes them at once."""
    still = ours(conn, claimed)
    if still:
        conn.execute(HAND_BACK, {"holders": holders(still), "at": now})
    for kind in {job.kind for job in still}:
        wake(conn, topic_of(kind))


def take_back(conn: Connection, *, now: datetime) -> int:
    """Free what processes of this machine held when they died, without waiting for their leases. Gives how much."""
    dead = [owner for owner in conn.execute(OWNERS).scalars() if is_dead(owner)]
    if not dead:
        return 0
    kinds = conn.execute(TAKE_BACK, {"owners": dead, "at": now}).scalars().all()
    for kind in set(kinds):
        wake(conn, topic_of(kind))
    return len(kinds)


def held(conn: Connection, claimed: Sequence[Claimed]) -> set[tuple[str, str]]:
    """The (kind, key) of those that are still ours; they stay so until the transaction ends."""
    return {(job.kind, job.key) for job in ours(conn, claimed)}


def ours(conn: Connection, claimed: Sequence[Claimed]) -> set[Claimed]:
    """Look at the rows, and on PostgreSQL lock them, so that nobody takes them over before we have ended."""
    if not claimed:
        return set()
    keys = [(job.kind, job.key) for job in claimed]
    found = conn.execute(HELD_POSTGRES if is_postgres(conn) else HELD_SQLITE, {"keys": keys}).all()
    tokens = {(r.kind, r.key): r.token for r in found}
    return {job for job in claimed if tokens.get((job.kind, job.key)) == job.token}


def topic_of(kind: str) -> str:
    """The wake-up topic of one kind of work."""
    return f"work.{kind}"


def arm_row(a: Arm) -> tuple[object, ...]:
    if a.priority not in PRIORITIES:
        raise ValueError(f"Work has one of the priorities {PRIORITIES}, not {a.priority}.")
    due = a.due if a.within is None else min(a.due, a.now + a.within)
    return a.kind, a.key, a.lane, a.priority, micros(a.now), micros(due)


def holder(job: Claimed) -> dict[str, object]:
    return {"of_kind": job.kind, "of_key": job.key, "with_token": job.token}


def holders(jobs: Iterable[Claimed]) -> list[tuple[str, str, int]]:
    return [(job.kind, job.key, job.token) for job in jobs]


def by_kind(kinds: Sequence[str]) -> dict[str, object]:
    return {f"kind_{n}": kind for n, kind in enumerate(kinds)}


def is_postgres(conn: Connection) -> bool:
    return conn.dialect.name == "postgresql"


ARM = SetStatement(
    """
    INSERT INTO work (kind, key, lane, priority, since, due) {rows}
    ON CONFLICT (kind, key) DO UPDATE SET
        due = CASE
            WHEN work.owner IS NOT NULL THEN work.due
            WHEN excluded.due < work.since + {value} THEN excluded.due
            ELSE work.since + {value}
        END,
        again = CASE WHEN work.owner IS NOT NULL THEN excluded.due END,
        priority = excluded.priority,
        lane = excluded.lane
    """,
    [work.c.kind, work.c.key, work.c.lane, work.c.priority, work.c.since, work.c.due],
)


@cache
def due_rows(number_of_kinds: int) -> Select[Any]:
    """What is due, most urgent first: one look at the index for each priority and kind, until there are enough."""
    places = [
        select(work.c.kind, work.c.key, work.c.attempts, work.c.since)
        .where(
            work.c.kind == bindparam(f"kind_{n}"),
            work.c.priority == literal_column(str(priority)),
            work.c.due <= bindparam("now", type_=UtcTime),
        )
        .order_by(work.c.due)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
        .subquery()
        for priority in PRIORITIES
        for n in range(number_of_kinds)
    ]
    found = union_all(*(select(place) for place in places)).subquery()
    return select(found).limit(bindparam("limit"))


@cache
def soonest(number_of_kinds: int) -> Select[Any]:
    """The earliest `due` of some kinds, from the first entry in the index for each priority and kind."""
    places = [
        select(func.min(work.c.due).label("due")).where(
            work.c.kind == bindparam(f"kind_{n}"), work.c.priority == literal_column(str(priority))
        )
        for priority in PRIORITIES
        for n in range(number_of_kinds)
    ]
    return select(func.min(union_all(*places).subquery().c.due))


_keys = tuple_(work.c.kind, work.c.key).in_(bindparam("keys", expanding=True))
_holders = tuple_(work.c.kind, work.c.key, work.c.token).in_(bindparam("holders", expanding=True))
_until = bindparam("until", type_=UtcTime)
TAKE = (
    update(work)
    .where(_keys)
    .values(
        due=_until,
        token=bindparam("fresh", type_=BigInteger),
        attempts=work.c.attempts + 1,
        owner=bindparam("by"),
    )
)
RENEW = update(work).where(_holders).values(due=_until)
HELD_SQLITE = select(work.c.kind, work.c.key, work.c.token).where(_keys)
# In the order of `arm_many`, whatever the database's collation.
HELD_POSTGRES = HELD_SQLITE.order_by(work.c.kind.collate("C"), work.c.key.collate("C")).with_for_update()

_mine = (
    work.c.kind == bindparam("of_kind"),
    work.c.key == bindparam("of_key"),
    work.c.token == bindparam("with_token"),
)
_at = bindparam("at", type_=UtcTime)
_sooner = case((work.c.again < _at, work.c.again), else_=_at)
# No token: whoever held the row has no more say in it, not even late.
_free = {"owner": None, "token": 0, "again": null()}
FINISH = delete(work).where(*_mine, work.c.again.is_(None))
FINISH_MANY = delete(work).where(_holders, work.c.again.is_(None))
_once_more = {"due": work.c.again, "since": _at, "attempts": 0, **_free}
RUN_ONCE_MORE = update(work).where(*_mine).values(_once_more)
RUN_MANY_ONCE_MORE = update(work).where(_holders).values(_once_more)
LATER = update(work).where(*_mine).values(due=_sooner, **_free)
LATER_AFRESH = update(work).where(*_mine).values(due=_sooner, attempts=0, **_free)
HAND_BACK = update(work).where(_holders).values(due=_sooner, attempts=work.c.attempts - 1, **_free)
OWNERS = select(work.c.owner).where(work.c.owner.is_not(None)).distinct()
TAKE_BACK = (
    update(work)
    .where(work.c.owner.in_(bindparam("owners", expanding=True)))
    .values(due=_sooner, **_free)
    .returning(work.c.kind)
)
