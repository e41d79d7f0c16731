"""The work table: a row is at once the queue entry, the lock of its key, and its crash recovery.

Claiming pushes `due` past a lease and writes a fresh `token`. Whoever holds the newest token may finish or put off
the row; a worker that lost its lease can change nothing. A crash just lets `due` come round again, and at once when a
worker starts on the same machine. Rows stand in line by kind, lane and priority, so a lane that is closed for now costs
one look, however long its line is.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    String,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from replyline.db import wake
from replyline.db.columns import UtcTime, micros
from replyline.db.sets import SetStatement, among, tuples
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
    lane: str = ""
    priority: int = 5
    brought: object = field(default=None, compare=False, repr=False)  # what a gate found out in the claim


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where work stands in line: its kind, lane and priority, and when the first of it is due."""

    kind: str
    lane: str
    priority: int
    due: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """How much of a place may be taken now; none: look again at `at`."""

    room: int
    at: datetime | None = None


class Opened(Protocol):
    """What a gate says of the places it was asked about, in one claim."""

    openings: Mapping[Place, Opening]

    def begin(self, conn: Connection, jobs: Sequence[Claimed]) -> Sequence[Claimed]:
        """Settle, in the transaction of the claim, what need not be begun, and give the rest."""


@runtime_checkable
class Gate(Protocol):
    """Decides how much of each lane is claimed, and what becomes of it, in the transaction of the claim."""

    def open(self, conn: Connection, places: Sequence[Place], now: datetime) -> Opened:
        """Look at the lanes of these places, in all of which something is due."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a claim found."""

    jobs: Sequence[Claimed]  # to be begun
    count: int  # with those that a gate has settled
    due: datetime | None  # when there may be more to take; none: nothing waits


def claim(
    conn: Connection, *, owner: str, kinds: Sequence[str], limit: int, now: datetime, lease: timedelta = LEASE
) -> list[Claimed]:
    """Take up to `limit` rows that are due, the most urgent first; of equal urgency in the order of `kinds`.

    Rows that another worker is just taking are passed over.
    """
    return list(take(conn, owner=owner, kinds=kinds, limit=limit, now=now, lease=lease).jobs)


def take(
    conn: Connection,
    *,
    owner: str,
    kinds: Sequence[str],
    limit: int,
    now: datetime,
    lease: timedelta = LEASE,
    gates: Mapping[str, Gate] | None = None,
) -> Taken:
    """`claim`, through the gates of the kinds that have one; it says too when to look again."""
    waiting = places(conn, kinds)
    due = [place for place in waiting if place.due <= now]
    opened = {
        kind: gate.open(conn, of_kind, now)
        for kind, gate in (gates or {}).items()
        if (of_kind := [place for place in due if place.kind == kind])
    }
    openings = {place: opening for each in opened.values() for place, opening in each.openings.items()}
    jobs = seize(conn, shares(due, openings, kinds, limit), owner=owner, limit=limit, now=now, lease=lease)
    begun = [job for job in jobs if job.kind not in opened]
    for kind, each in opened.items():
        begun += each.begin(conn, [job for job in jobs if job.kind == kind])
    again = [place.due for place in waiting if place.due > now]
    again += [now if opening is None else opening.at or now for opening in map(openings.get, due)]
    return Taken(jobs=begun, count=len(jobs), due=now if jobs else min(again, default=None))


def next_due(conn: Connection, *, kinds: Sequence[str]) -> datetime | None:
    """When the next row of these kinds is due, or the lease of one that is held ends."""
    return min((place.due for place in places(conn, kinds)), default=None)


def places(conn: Connection, kinds: Sequence[str]) -> list[Place]:
    """Every place in which something waits or is held."""
    return [
        Place(kind=kind, lane=lane, priority=priority, due=due)
        for kind in kinds
        for lane, *dues in conn.execute(WAITING, {"kind": kind})
        for priority, due in zip(PRIORITIES, dues, strict=True)
        if due is not None
    ]


def shares(
    due: Sequence[Place], openings: Mapping[Place, Opening], kinds: Sequence[str], limit: int
) -> list[tuple[Place, int]]:
    """How much to take where, in order of urgency. Lanes of equal urgency get even shares, so that none waits for another."""
    open_now = [place for place in due if place not in openings or openings[place].room > 0]
    lanes = Counter((place.priority, place.kind) for place in open_now)
    shared = []
    for place in sorted(open_now, key=lambda place: (place.priority, kinds.index(place.kind))):
        share = -(-limit // lanes[place.priority, place.kind])
        shared.append((place, min(share, openings[place].room) if place in openings else share))
    return shared


def seize(
    conn: Connection,
    wanted: Sequence[tuple[Place, int]],
    *,
    owner: str,
    limit: int,
    now: datetime,
    lease: timedelta,
) -> list[Claimed]:
    """Take rows of these places, at most so many of each and `limit` of all, in this order."""
    if not wanted:
        return []
    given: dict[str, object] = {"now": now, "limit": limit}
    for n, (place, room) in enumerate(wanted):
        given |= {f"kind_{n}": place.kind, f"lane_{n}": place.lane, f"priority_{n}": place.priority, f"room_{n}": room}
    found = conn.execute(due_rows(len(wanted)), given).all()
    if not found:
        return []
    # Fresh, not counted up: a row that was finished and armed anew must not meet its old holder's token again.
    token = int.from_bytes(os.urandom(8)) >> 1
    taken = {"until": now + lease, "fresh": token, "by": owner}
    conn.execute(TAKE, taken | tuples("keys", [(r.kind, r.key) for r in found]))
    return [
        Claimed(
            kind=r.kind,
            key=r.key,
            token=token,
            attempts=r.attempts + 1,
            since=r.since,
            lane=r.lane,
            priority=r.priority,
        )
        for r in found
    ]


def renew(conn: Connection, claimed: Sequence[Claimed], *, now: datetime, lease: timedelta = LEASE) -> set[Claimed]:
    """Push the leases on; gives those that are still ours."""
    still = ours(conn, claimed)
    if still:
        conn.execute(RENEW, holders(still) | {"until": now + lease})
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
    gone = conn.execute(FINISH_MANY, holders(jobs)).rowcount
    if gone < len(jobs):
        conn.execute(RUN_MANY_ONCE_MORE, holders(jobs) | {"at": now})
        for kind in {job.kind for job in jobs}:
            wake(conn, topic_of(kind))


def later(conn: Connection, job: Claimed, *, due: datetime, keep_attempts: bool = True, lane: str = "") -> None:
    """Put it off until `due`, or until it was armed for meanwhile if that is sooner. Raises `LostLease`."""
    put = LATER if keep_attempts else LATER_AFRESH
    if not conn.execute(put, holder(job) | {"at": due, "in_lane": lane}).rowcount:
        raise LostLease(f"The work {job.kind} {job.key} belongs to another worker now.")
    wake(conn, topic_of(job.kind))


def later_many(conn: Connection, dues: Mapping[Claimed, datetime], *, keep_attempts: bool = True) -> None:
    """`later` for many rows whose leases the caller has checked in this transaction, each back in its job's lane."""
    if not dues:
        return
    put = LATER if keep_attempts else LATER_AFRESH
    conn.execute(put, [holder(job) | {"at": due, "in_lane": job.lane} for job, due in dues.items()])
    for kind in {job.kind for job in dues}:
        wake(conn, topic_of(kind))


def put_back(conn: Connection, jobs: Sequence[Claimed]) -> None:
    """Undo the claim of rows that this transaction has claimed: each stands in its job's lane again, where it stood."""
    for lane, some in groupby(sorted(jobs, key=lambda job: job.lane), key=lambda job: job.lane):
        conn.execute(PUT_BACK, holders(list(some)) | {"in_lane": lane})


def hand_back(conn: Connection, claimed: Sequence[Claimed], *, now: datetime) -> None:
    """Give up rows that were claimed and not begun or not ended, so that another worker takes them at once."""
    still = ours(conn, claimed)
    if still:
        conn.execute(HAND_BACK, holders(still) | {"at": now})
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
    keys = tuples("keys", [(job.kind, job.key) for job in claimed])
    found = conn.execute(HELD_POSTGRES if is_postgres(conn) else HELD_SQLITE, keys).all()
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


def holders(jobs: Iterable[Claimed]) -> dict[str, Any]:
    return dict(tuples("holders", [(job.kind, job.key, job.token) for job in jobs]))


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


def lanes_waiting() -> Select[Any]:
    """The lanes of a kind, each found behind the one before, and the earliest `due` of each of their priorities.

    A few looks at the index for each lane, however long its line is.
    """
    of_kind = work.c.kind == bindparam("kind")
    lanes = select(func.min(work.c.lane).label("lane")).where(of_kind).cte("lanes", recursive=True)
    behind = select(func.min(work.c.lane)).where(of_kind, work.c.lane > lanes.c.lane).scalar_subquery()
    lanes = lanes.union_all(select(behind).where(lanes.c.lane.is_not(None)))
    soonest = [
        select(func.min(work.c.due))
        .where(of_kind, work.c.lane == lanes.c.lane, work.c.priority == literal_column(str(priority)))
        .scalar_subquery()
        for priority in PRIORITIES
    ]
    return select(lanes.c.lane, *soonest).where(lanes.c.lane.is_not(None))


WAITING = lanes_waiting()


@cache
def due_rows(number_of_places: int) -> Select[Any]:
    """What is due, place after place: one look at the index for each, until there are enough."""
    rows = [
        select(work.c.kind, work.c.key, work.c.attempts, work.c.since, work.c.lane, work.c.priority)
        .where(
            work.c.kind == bindparam(f"kind_{n}"),
            work.c.lane == bindparam(f"lane_{n}"),
            work.c.priority == bindparam(f"priority_{n}"),
            work.c.due <= bindparam("now", type_=UtcTime),
        )
        .order_by(work.c.due)
        .limit(bindparam(f"room_{n}"))
        .with_for_update(skip_locked=True)
        .subquery()
        for n in range(number_of_places)
    ]
    found = union_all(*(select(each) for each in rows)).subquery()
    return select(found).limit(bindparam("limit"))


_keys = among("keys", work.c.kind, work.c.key)
_holders = among("holders", work.c.kind, work.c.key, work.c.token)
_until = bindparam("until", type_=UtcTime)
TAKE = (
    update(work)
    .where(_keys)
    .values(
        due=_until,
        lane="",  # what is being done stands in no line, so nothing is behind others when its lease ends
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
_in_lane = bindparam("in_lane", type_=String)
LATER = update(work).where(*_mine).values(due=_sooner, lane=_in_lane, **_free)
LATER_AFRESH = update(work).where(*_mine).values(due=_sooner, lane=_in_lane, attempts=0, **_free)
HAND_BACK = update(work).where(_holders).values(due=_sooner, attempts=work.c.attempts - 1, **_free)
PUT_BACK = update(work).where(_holders).values(due=work.c.since, lane=_in_lane, attempts=work.c.attempts - 1, **_free)
OWNERS = select(work.c.owner).where(work.c.owner.is_not(None)).distinct()
TAKE_BACK = (
    update(work)
    .where(work.c.owner.in_(bindparam("owners", expanding=True)))
    .values(due=_sooner, **_free)
    .returning(work.c.kind)
)
