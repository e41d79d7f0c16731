"""Letting texts leave: lease, state, judge and sender's rate, then SENDING, in one transaction for a whole set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from replyline.clock import Stopwatch
from replyline.conversations.delivery import Status
from replyline.db import CHANGE, wake
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import texts
from replyline.log import get_log
from replyline.outbound.senders import Wanted, take_room
from replyline.phone_numbers import masked
from replyline.plugins.line import Line
from replyline.rules.facts import Purpose
from replyline.rules.gather import facts_of, lock_people, marketing_sent, texts_to_judge
from replyline.rules.judge import CORE_RULES, Decision, judge
from replyline.rules.rulebook import Rulebook
from replyline.rules.verdict import Refuse, Wait
from replyline.work import Claimed, LostLease, later
from replyline.work.queue import finish_many, held

log = get_log(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A text that may be due to leave."""

    job: Claimed
    line: Line
    book: Rulebook
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Leave:
    """It may leave, now; it is marked as SENDING."""

    text: AnyRow
    claimed: Stopwatch


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """It may have left already: a process died, or Twilio did not answer. Find out first."""

    text: AnyRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """There is nothing to send: it left before, must not leave, or has to wait."""


def claim(conn: Connection, claims: Sequence[Claim]) -> list[Leave | Doubt | Settled | LostLease]:
    """Let texts leave: lease, state, sender's rate and judge, then SENDING, all in one transaction."""
    still = held(conn, [each.job for each in claims])
    ids = sorted(each.job.key for each in claims)
    lock_people(conn, ids)
    rows = texts_to_judge(conn, ids)
    moves: list[dict[str, Any]] = []
    done: list[Claim] = []
    results: dict[str, Leave | Doubt | Settled | LostLease] = {}
    ready: list[Claim] = []
    for each in claims:
        row = rows.get(each.job.key)
        if (each.job.kind, each.job.key) not in still:
            results[each.job.key] = LostLease(f"The text {each.job.key} belongs to another worker now.")
        elif row is None or Status(row.status) not in {Status.QUEUED, Status.SENDING, Status.UNKNOWN}:
            results[each.job.key] = Settled()
            done.append(each)
        elif row.status != Status.QUEUED.value:
            results[each.job.key] = Doubt(text=row)
            moves.append(move(row, each.now, Status.UNKNOWN, row.why or "The process died while it was being sent."))
        else:
            ready.append(each)
    for each, verdict in zip(ready, verdicts(conn, ready, rows), strict=True):
        results[each.job.key] = settle(conn, each, rows[each.job.key], verdict, moves, done)
    if moves:
        conn.execute(MOVE, moves)
        wake(conn, CHANGE)
    finish_many(conn, [each.job for each in done], now=claims[0].now)
    return [results[each.job.key] for each in claims]


def verdicts(conn: Connection, ready: Sequence[Claim], rows: dict[str, AnyRow]) -> list[Decision | datetime | None]:
    """For each text: the judge's decision if it is not to leave, else when its sender has room; none: leave."""
    decided: dict[str, Decision | datetime | None] = {}
    free: list[Claim] = []
    sent = marketing_sent(conn, [rows[each.job.key] for each in ready], ready[0].now) if ready else {}
    for each in ready:
        row = rows[each.job.key]
        facts = facts_of(row, each.line, each.book, sent)
        decision = judge(facts, each.now, rules=[*CORE_RULES, *each.line.rules])
        if isinstance(decision.verdict, Wait | Refuse):
            decided[row.id] = decision
        elif not is_expired(row, each.now):
            free.append(each)
            if facts.purpose is Purpose.MARKETING:  # the next of this set to the same person has to count it
                sent[row.line, row.phone].append(each.now)
    if free:
        wanted = [wanted_by(rows[each.job.key], each.line) for each in free]
        rooms = take_room(conn, wanted, free[0].now)
        decided |= {each.job.key: room for each, room in zip(free, rooms, strict=True)}
    return [decided.get(each.job.key) for each in ready]


def settle(
    conn: Connection,
    each: Claim,
    row: AnyRow,
    verdict: Decision | datetime | None,
    moves: list[dict[str, Any]],
    done: list[Claim],
) -> Leave | Settled:
    """Write one decision down."""
    if isinstance(verdict, Decision) and isinstance(verdict.verdict, Refuse):
        log.info("text_refused", text=row.id, to=masked(row.phone), why=verdict.verdict.why)
        moves.append(move(row, each.now, Status.REFUSED, verdict.verdict.why))
        done.append(each)
        return Settled()
    if is_expired(row, each.now):
        moves.append(move(row, each.now, Status.EXPIRED, "It waited past the time it was for."))
        done.append(each)
        return Settled()
    if verdict is not None:
        wait = verdict.verdict if isinstance(verdict, Decision) else None
        until = wait.until if isinstance(wait, Wait) else verdict
        assert isinstance(until, datetime)
        later(conn, each.job, due=until, keep_attempts=False)
        moves.append(move(row, each.now, Status.QUEUED, wait.why if isinstance(wait, Wait) else "its sender's rate"))
        return Settled()
    moves.append(move(row, each.now, Status.SENDING, None))
    return Leave(text=row, claimed=Stopwatch(each.now))


def wanted_by(row: AnyRow, line: Line) -> Wanted:
    return Wanted(
        sender=row.messaging_service_sid or row.our_address, segments=row.segments or 1, rate=line.segments_per_second
    )


def is_expired(row: AnyRow, now: datetime) -> bool:
    return row.expires_at is not None and row.expires_at <= now


def move(row: AnyRow, now: datetime, to: Status, why: str | None) -> dict[str, Any]:
    is_leaving = to is Status.SENDING
    return {
        "text_id": row.id,
        "to": to.value,
        "at": now if to.value != row.status else row.status_at,
        "because": why,
        "sending": now if is_leaving else row.sending_at,
        "times": row.attempts + is_leaving,
    }


MOVE = (
    update(texts)
    .where(texts.c.id == bindparam("text_id"))
    .values(
        status=bindparam("to"),
        status_at=bindparam("at", type_=UtcTime),
        why=bindparam("because"),
        sending_at=bindparam("sending", type_=UtcTime),
        attempts=bindparam("times"),
    )
)
