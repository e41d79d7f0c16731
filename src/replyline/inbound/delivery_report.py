"""What Twilio reports of a text we sent: late, twice, out of order, or before we knew its SID. All of that is normal.

A callback carries our own id in its signed URL: that proves whose message it is about, and corrects a text in doubt that
had taken the message for its own because it looked the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from replyline.conversations.delivery import Status, advance, from_twilio
from replyline.costs import ledger
from replyline.costs.prices import PriceList, read_prices
from replyline.db import CHANGE, new_id, wake
from replyline.db.both import if_new
from replyline.db.columns import UtcTime
from replyline.db.tables import delivery_reports, texts
from replyline.inbound.owners import About, Owners, State
from replyline.outbound.pace import lane_of, pace_of
from replyline.outbound.queue import NO_LANE, cancel_queued, send_work
from replyline.outbound.slow_down import SlowDown, of_sender, slow_down
from replyline.plugins.line import Line
from replyline.rules import consent
from replyline.rules.facts import Purpose
from replyline.rules.person import ERASED
from replyline.work import arm_many


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryReport:
    """One status callback. `text_id` is ours, from the signed query of the callback's URL."""

    sid: str
    text_id: str | None
    status: str
    error_code: int | None
    fields: dict[str, Any]
    received_at: datetime
    source: str = "callback"  # or list: we asked Twilio ourselves
    line: Line | None = None  # whose senders it may be news of
    prices: PriceList = field(default_factory=read_prices)


def report(conn: Connection, reports: Sequence[DeliveryReport]) -> list[bool]:
    """Write the reports down and move their texts on. True for those that were new."""
    owners = owners_of(conn, reports)
    abouts = [owners.about(each.text_id, each.sid, each.received_at) for each in reports]
    results = add(conn, reports, abouts, owners)
    for each, about, is_new in zip(reports, abouts, results, strict=True):
        if about is None:
            continue
        if about.moves:
            move_on(owners, each, owners.now[about.text_id])
        if is_new and each.error_code == consent.HELD_BY_TWILIO:
            heed_carrier(conn, owners.now[about.text_id], now=each.received_at)
    write(conn, owners, now=max(each.received_at for each in reports))
    charge(conn, owners, reports[0].prices, now=max(each.received_at for each in reports))
    news = [(each, about) for each, about, is_new in zip(reports, abouts, results, strict=True) if is_new and about]
    for asked in {asked for each, about in news if (asked := asks(each, owners.now[about.text_id]))}:
        slow_down(conn, asked, max(each.received_at for each in reports))
    return results


def owners_of(conn: Connection, reports: Sequence[DeliveryReport]) -> Owners:
    """The texts the reports are about, by our id and by Twilio's, locked in one order."""
    ids = sorted({each.text_id for each in reports if each.text_id})
    sids = sorted({each.sid for each in reports})
    owners = Owners(conn.execute(FIND, {"ids": ids, "sids": sids}))
    unheard = sorted({each.sid for each in reports if owners.lacks_holder(each.text_id, each.sid)})
    if unheard and conn.dialect.name == "postgresql":
        # While we waited for a lock another text may have taken one of these SIDs; nobody can now.
        owners.add(conn.execute(FIND, {"ids": [], "sids": unheard}))
    return owners


def add(
    conn: Connection, reports: Sequence[DeliveryReport], abouts: Sequence[About | None], owners: Owners
) -> list[bool]:
    """Store the reports; true for each that was not there yet. Of a person who was erased, nothing that names them."""
    results = [False] * len(reports)
    rows: dict[tuple[str, str, int], tuple[int, dict[str, Any]]] = {}
    for position, (each, about) in enumerate(zip(reports, abouts, strict=True)):
        key = (each.sid, each.status, each.error_code or 0)
        is_erased = about is not None and owners.now[about.text_id].phone.startswith(ERASED)
        row = report_row(each, about.text_id if about else None)
        rows.setdefault(key, (position, row | {"fields": {}} if is_erased else row))
    in_order = [rows[key][1] for key in sorted(rows)]
    for new in ADD(conn, in_order).all():
        results[rows[(new.sid, new.status, new.error_code)][0]] = True
    return results


def move_on(owners: Owners, each: DeliveryReport, state: State) -> None:
    """Move a text forward, never back. Of a status that is new to us we know only that Twilio has the text."""
    reported = from_twilio(each.status)
    after = advance(state.status, reported) if reported else state.status
    if after is not state.status:
        code = each.error_code or state.error_code
        owners.put(replace(state, status=after, status_at=each.received_at, error_code=code))


def asks(each: DeliveryReport, state: State) -> SlowDown | None:
    """Whether what became of one text asks its sender to go more slowly."""
    if each.error_code is None or each.line is None:
        return None
    pace = pace_of(lane_of(state.sender, state.phone, has_pictures=False), each.line)
    return of_sender(each.error_code, pace, each.received_at, left_at=state.sending_at or each.received_at)


def heed_carrier(conn: Connection, state: State, *, now: datetime) -> None:
    """Twilio would not send because this person opted out with it: we hold to that, whatever we knew."""
    whose = consent.Whose(line=state.line, phone=state.phone)
    if not consent.has_opted_out(conn, whose):
        consent.opt_out(conn, whose, now=now, source="carrier", text_id=state.id)
        cancel_queued(conn, line=whose.line, phone=whose.phone, now=now, why="Twilio says they opted out (21610)")


def write(conn: Connection, owners: Owners, *, now: datetime) -> None:
    changed = owners.changed
    if not changed:
        return
    if gave_up := owners.gave_up_sids:
        conn.execute(CLEAR, {"ids": gave_up})  # first, so that no SID is there twice
        for sid, text_id in owners.moved_sids.items():
            conn.execute(RETELL, {"of_sid": sid, "whose": text_id})
    conn.execute(MOVE, [moved(state) for state in changed])
    arm_many(conn, [send_work(each.id, Purpose(each.purpose), NO_LANE, now=now) for each in owners.in_doubt_again])
    wake(conn, CHANGE)


def charge(conn: Connection, owners: Owners, prices: PriceList, *, now: datetime) -> None:
    """Charge what turns out to be with Twilio, and what failed there; take back what never was."""
    ledger.take_back(conn, [each.id for each in owners.in_doubt_again])
    ledger.charge_texts(conn, [each.id for each in owners.first_heard_of], prices)
    failed = {each.id: each.error_code for each in owners.changed if each.status is Status.FAILED and each.sid}
    if failed:
        ledger.fail(conn, failed, prices, now)


def moved(state: State) -> dict[str, Any]:
    return {
        "of": state.id,
        "to": state.status.value,
        "at": state.status_at,
        "code": state.error_code,
        "as": state.sid,
        "adopted": state.status_at if state.is_adopted else None,
        "because": state.why,
    }


def report_row(each: DeliveryReport, text_id: str | None) -> dict[str, Any]:
    return {
        "id": new_id("rep"),
        "sid": each.sid,
        "text_id": text_id,
        "status": each.status,
        "error_code": each.error_code or 0,
        "fields": each.fields,
        "source": each.source,
        "received_at": each.received_at,
    }


ADD = if_new(delivery_reports, delivery_reports.c.sid, delivery_reports.c.status, delivery_reports.c.error_code)
FIND = (
    select(
        texts.c.id,
        texts.c.is_inbound,
        texts.c.sid,
        texts.c.line,
        texts.c.phone,
        texts.c.our_address,
        texts.c.messaging_service_sid,
        texts.c.purpose,
        texts.c.attempts,
        texts.c.adopted_at,
        texts.c.status,
        texts.c.status_at,
        texts.c.sending_at,
        texts.c.error_code,
        texts.c.why,
    )
    .where(
        or_(
            texts.c.id.in_(bindparam("ids", expanding=True)),
            texts.c.sid.in_(bindparam("sids", expanding=True)),
        ),
    )
    .order_by(texts.c.id)
    .with_for_update()
)
CLEAR = update(texts).where(texts.c.id.in_(bindparam("ids", expanding=True))).values(sid=None)
RETELL = (
    update(delivery_reports).where(delivery_reports.c.sid == bindparam("of_sid")).values(text_id=bindparam("whose"))
)
MOVE = (
    update(texts)
    .where(texts.c.id == bindparam("of"))
    .values(
        status=bindparam("to"),
        status_at=bindparam("at", type_=UtcTime),
        error_code=bindparam("code"),
        sid=bindparam("as"),
        adopted_at=bindparam("adopted", type_=UtcTime),
        why=bindparam("because"),
    )
)
