"""What the server did with each text of a phone, read from the rows: all of it is there, so nothing is recorded for this.

An exchange is what belongs together: the texts that one turn answers, the turn, and what it texted back.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, tuple_

from replyline.db.columns import AnyRow
from replyline.db.tables import (
    charges,
    conversations,
    decisions,
    delivery_reports,
    media,
    opt_outs,
    senders,
    steps,
    texts,
    turns,
    work,
)
from replyline.outbound import queue
from replyline.simulator.trail_exchange import exchange_of
from replyline.simulator.trail_records import Exchange, OptOut, Rows, millis
from replyline.turns import schedule

TEXTS_EACH = 4  # texts read for each exchange that is wanted; most have two


def trail(conn: Connection, line_key: str, phone: str, limit: int) -> list[Exchange]:
    """The phone's last exchanges with a line, oldest first: a handful of reads by index, whatever the database holds."""
    ids = conn.execute(CONVERSATIONS, {"line": line_key, "phone": phone}).scalars().all()
    most = limit * TEXTS_EACH
    found = [row for each in ids for row in conn.execute(NEWEST, {"conversation_id": each, "most": most}).all()]
    found.sort(key=lambda row: (row.created_at, not row.is_inbound, row.id))
    return [exchange_of(phone, rows) for rows in filled(conn, grouped(found)[-limit:])]


def opt_out_of(conn: Connection, line_key: str, phone: str) -> OptOut | None:
    """Whether the person has opted out, and since when."""
    row = conn.execute(OPTED_OUT, {"line": line_key, "phone": phone}).first()
    return None if row is None else OptOut(since=millis(row.since), source=row.source)


def phones_of(conn: Connection, line_key: str, limit: int) -> list[str]:
    """The phones that wrote to a line last, the newest first."""
    return list(conn.execute(PHONES, {"line": line_key, "most": limit}).scalars())


def grouped(found: Iterable[AnyRow]) -> list[Rows]:
    """Texts by the turn they belong to; those that no turn has yet by the one that will answer them together."""
    groups: dict[str, Rows] = {}
    heeded: dict[tuple[str, datetime], str] = {}  # the keyword that a text without a turn answers, by its moment
    for row in found:
        answers = heeded.get((row.conversation_id, row.created_at)) if not row.is_inbound else None
        key = row.turn_id or answers or (f"next {row.conversation_id}" if is_waiting(row) else row.id)
        group = groups.setdefault(key, Rows())
        (group.inbound if row.is_inbound else group.outbound).append(row)
        if row.is_inbound and row.turn_id is None and row.handled_at is not None:
            heeded[row.conversation_id, row.created_at] = row.id
    return sorted(groups.values(), key=lambda group: group.began_at)


def is_waiting(row: AnyRow) -> bool:
    return bool(row.is_inbound) and row.turn_id is None and row.handled_at is None


def filled(conn: Connection, groups: Sequence[Rows]) -> Sequence[Rows]:
    """Read what belongs to these texts, once for all groups."""
    shown = [row for group in groups for row in [*group.inbound, *group.outbound]]
    turn_ids = sorted({row.turn_id for row in shown if row.turn_id})
    keys = {(schedule.KIND, row.conversation_id) for row in shown} | {(queue.KIND, row.id) for row in shown}
    found_turns = {row.id: row for row in read(conn, TURNS, turn_ids)}
    found_steps = by(read(conn, STEPS, turn_ids), "turn_id")
    reports = by(read(conn, REPORTS, [row.id for row in shown if not row.is_inbound]), "text_id")
    attached = by(read(conn, MEDIA, [row.id for row in shown if row.is_inbound and row.media]), "text_id")
    decided = by(read(conn, DECISIONS, [row.id for row in shown if not row.is_inbound]), "text_id")
    charged = by(read(conn, CHARGES, [row.id for row in shown]), "of_id")
    jobs = {(row.kind, row.key): row for row in read(conn, WORK, sorted(keys))}
    closed = {row.address: row.closed_until for row in conn.execute(CLOSED)}
    for group in groups:
        turn_id = next((row.turn_id for row in [*group.inbound, *group.outbound] if row.turn_id), None)
        group.turn = found_turns.get(turn_id or "")
        group.steps = found_steps.get(turn_id or "", [])
        group.reports, group.media, group.work, group.closed = reports, attached, jobs, closed
        group.decisions, group.charges = decided, charged
    return groups


def read(conn: Connection, statement: Any, wanted: Sequence[Any]) -> Sequence[AnyRow]:
    return conn.execute(statement, {"wanted": wanted}).all() if wanted else []


def by(rows: Iterable[AnyRow], column: str) -> dict[str, list[AnyRow]]:
    found: dict[str, list[AnyRow]] = {}
    for row in rows:
        found.setdefault(getattr(row, column), []).append(row)
    return found


def wanted() -> Any:
    return bindparam("wanted", expanding=True)


CONVERSATIONS = select(conversations.c.id).where(
    conversations.c.line == bindparam("line"), conversations.c.phone == bindparam("phone")
)
NEWEST = (
    select(texts)
    .where(texts.c.conversation_id == bindparam("conversation_id"))
    .order_by(texts.c.created_at.desc())
    .limit(bindparam("most"))
)
PHONES = (
    select(conversations.c.phone)
    .where(conversations.c.line == bindparam("line"))
    .order_by(conversations.c.last_inbound_at.desc().nulls_last(), conversations.c.id)
    .limit(bindparam("most"))
)
OPTED_OUT = select(opt_outs.c.since, opt_outs.c.source).where(
    opt_outs.c.line == bindparam("line"), opt_outs.c.phone == bindparam("phone"), opt_outs.c.scope == "all"
)
TURNS = select(turns).where(turns.c.id.in_(wanted()))
STEPS = select(steps).where(steps.c.turn_id.in_(wanted())).order_by(steps.c.position)
REPORTS = (
    select(delivery_reports).where(delivery_reports.c.text_id.in_(wanted())).order_by(delivery_reports.c.received_at)
)
DECISIONS = select(decisions).where(decisions.c.text_id.in_(wanted())).order_by(decisions.c.at, decisions.c.id)
CHARGES = select(charges).where(charges.c.of_id.in_(wanted()))
MEDIA = select(media).where(media.c.text_id.in_(wanted())).order_by(media.c.position)
WORK = select(work).where(tuple_(work.c.kind, work.c.key).in_(wanted()))
CLOSED = select(senders.c.address, senders.c.closed_until).where(senders.c.closed_until.is_not(None))
