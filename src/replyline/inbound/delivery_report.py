"""What Twilio reports of a text we sent: late, twice, out of order, or before we knew its SID. All of that is normal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from replyline.conversations.delivery import Status, advance, from_twilio
from replyline.db import CHANGE, new_id, wake
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import delivery_reports, texts
from replyline.outbound.queue import cancel_queued
from replyline.rules import consent


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryReport:
    """One status callback. `text_id` is ours, from the signed query of the callback's URL."""

    sid: str
    text_id: str | None
    status: str
    error_code: int | None
    fields: dict[str, Any]
    received_at: datetime


def report(conn: Connection, reports: Sequence[DeliveryReport]) -> list[bool]:
    """Write the reports down and move their texts on. True for those that were new."""
    found = texts_of(conn, reports)
    results = [False] * len(reports)
    rows: dict[tuple[str, str, int], tuple[int, dict[str, Any]]] = {}
    for position, each in enumerate(reports):
        text = found.of(each)
        key = (each.sid, each.status, each.error_code or 0)
        rows.setdefault(key, (position, report_row(each, text.id if text else None)))
    statement = ADD_POSTGRES if conn.dialect.name == "postgresql" else ADD_SQLITE
    in_order = [rows[key][1] for key in sorted(rows)]
    for new in conn.execute(statement, in_order).all():
        results[rows[(new.sid, new.status, new.error_code)][0]] = True
    move_on(conn, [each for each, is_new in zip(reports, results, strict=True) if is_new], found)
    return results


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The texts that reports are about, by Twilio's id and by ours."""

    by_sid: dict[str, AnyRow]
    by_id: dict[str, AnyRow]

    def of(self, each: DeliveryReport) -> AnyRow | None:
        """The text of this report: the one with its SID, else ours as long as it has none."""
        # An id of ours counts only while the text has no SID: a callback cannot be moved to another text.
        return self.by_sid.get(each.sid) or self.by_id.get(each.text_id or "")


def texts_of(conn: Connection, reports: Sequence[DeliveryReport]) -> Found:
    """The texts the reports are about, locked in one order."""
    ids = sorted({each.text_id for each in reports if each.text_id})
    sids = sorted({each.sid for each in reports})
    rows = conn.execute(FIND, {"ids": ids, "sids": sids}).all()
    return Found(by_sid={row.sid: row for row in rows if row.sid}, by_id={row.id: row for row in rows if not row.sid})


def move_on(conn: Connection, reports: Sequence[DeliveryReport], found: Found) -> None:
    moves: dict[str, dict[str, Any]] = {}
    claimed: dict[str, str] = {}  # SIDs that texts of ours get, each once
    for each in reports:
        text = found.of(each)
        reported = from_twilio(each.status)
        if text is None or text.is_inbound or reported is None:
            continue
        earlier = moves.get(text.id, {"to": text.status, "code": text.error_code, "as": text.sid or each.sid})
        if earlier["as"] != each.sid or claimed.setdefault(each.sid, text.id) != text.id:
            continue  # one of our ids with two SIDs, or two with one: the first is believed
        before = Status(earlier["to"])
        after = advance(before, reported)
        if after is not before or text.sid is None:
            code = each.error_code or earlier["code"]
            moves[text.id] = {"of": text.id, "to": after.value, "at": each.received_at, "code": code, "as": each.sid}
        if each.error_code == consent.HELD_BY_TWILIO:
            heed_carrier(conn, consent.Whose(line=text.line, phone=text.phone), now=each.received_at, text_id=text.id)
    if moves:
        conn.execute(MOVE, [moves[text_id] for text_id in sorted(moves)])
        wake(conn, CHANGE)


def heed_carrier(conn: Connection, whose: consent.Whose, *, now: datetime, text_id: str) -> None:
    """Twilio would not send because this person opted out with it: we hold to that, whatever we knew."""
    if not consent.has_opted_out(conn, whose):
        consent.opt_out(conn, whose, now=now, source="carrier", text_id=text_id)
        cancel_queued(conn, line=whose.line, phone=whose.phone, now=now, why="Twilio says they opted out (21610)")


def report_row(each: DeliveryReport, text_id: str | None) -> dict[str, Any]:
    return {
        "id": new_id("rep"),
        "sid": each.sid,
        "text_id": text_id,
        "status": each.status,
        "error_code": each.error_code or 0,
        "fields": each.fields,
        "received_at": each.received_at,
    }


_new = (delivery_reports.c.sid, delivery_reports.c.status, delivery_reports.c.error_code)
ADD_POSTGRES = postgres_insert(delivery_reports).on_conflict_do_nothing().returning(*_new)
ADD_SQLITE = sqlite_insert(delivery_reports).on_conflict_do_nothing().returning(*_new)
FIND = (
    select(texts.c.id, texts.c.sid, texts.c.line, texts.c.phone, texts.c.status, texts.c.error_code, texts.c.is_inbound)
    .where(
        or_(
            texts.c.id.in_(bindparam("ids", expanding=True)),
            texts.c.sid.in_(bindparam("sids", expanding=True)),
        )
    )
    .order_by(texts.c.id)
    .with_for_update()
)
MOVE = (
    update(texts)
    .where(texts.c.id == bindparam("of"))
    .values(
        status=bindparam("to"),
        status_at=bindparam("at", type_=UtcTime),
        error_code=bindparam("code"),
        sid=bindparam("as"),
    )
)
