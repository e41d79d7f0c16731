"""The rows of what Twilio's Consent API is still to be told: made from the ledger, taken by twenty-five, settled."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, and_, bindparam, delete, func, select, update

from replyline.db.both import if_new
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import consent_chains, consent_events, consent_pushes, consent_syncs, opt_outs
from replyline.outbound.queue import VALID_FOR
from replyline.rules.facts import Purpose, Scope
from replyline.twilio.client import ConsentItem

MOST_ITEMS = 25  # of one request
EVENTS_AT_ONCE = 500
# Told at once, Twilio would refuse the text that confirms an opt-out. A later one than this does not leave.
CONFIRMED_WITHIN = VALID_FOR[Purpose.OPT_OUT_CONFIRMATION]
# A word from their own phone. A form that anybody can fill in, or a list, could undo a STOP that Twilio alone has heard.
OWN_WORD = {"keyword"}
SOURCES = {
    ("opt-out", "keyword"): "opt-out-message",
    ("opt-in", "keyword"): "opt-in-message",
    ("opt-out", "web_form"): "website",
    ("opt-out", "person"): "offline",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What is to be told next; or, with nothing in it, when to look again: none when nothing is left."""

    items: Sequence[ConsentItem] = ()
    look_again: datetime | None = None


def begin(conn: Connection, line: str) -> None:
    """From now on a line's ledger is told: all its opt-outs, and opt-ins from here on."""
    end = conn.execute(CHAIN_END, {"of_line": line}).scalar() or 0
    BEGIN(conn, {"line": line, "position": 0, "opt_ins_after": end})


def stop(conn: Connection, line: str) -> None:
    conn.execute(STOP, {"of_line": line})
    conn.execute(DROP_ALL, {"of_line": line})


def next_batch(conn: Connection, line: str, senders: Sequence[str], now: datetime) -> Batch:
    """Read the ledger on to its end; then take what is to be told, and drop what is in force no longer."""
    sync = conn.execute(SYNC, {"of_line": line}).first()
    if sync is None:
        return Batch()
    if sync.not_before is not None and sync.not_before > now:
        return Batch(look_again=sync.not_before)
    events = conn.execute(NEW_EVENTS, {"of_line": line, "behind": sync.position, "most": EVENTS_AT_ONCE}).all()
    if events:
        note(conn, line, events, senders, sync.opt_ins_after, now)
        conn.execute(MOVE_ON, {"of_line": line, "to": events[-1].position})
        return Batch(look_again=now)
    rows = conn.execute(DUE, {"of_line": line, "most": MOST_ITEMS, "now": now}).all()
    items = [item_of(row) for row in rows if row.phone is not None and is_in_force(row)]
    if over := {row.correlation_id for row in rows} - {item.correlation_id for item in items}:
        conn.execute(DROP, {"ids": sorted(over)})
    return Batch(items=items, look_again=now if rows else conn.execute(NEXT_DUE, {"of_line": line}).scalar())


def note(
    conn: Connection, line: str, events: Sequence[AnyRow], senders: Sequence[str], opt_ins_after: int, now: datetime
) -> None:
    """Write down what events are to be told, to each sender. Of one person only the newest counts."""
    newest: dict[str, tuple[AnyRow, str]] = {}
    for event in events:
        if event.phone is not None and (status := status_of(event, opt_ins_after)):
            newest[event.phone] = event, status
    if not newest:
        return
    conn.execute(DROP_OLDER, {"of_line": line, "phones": sorted(newest)})
    shared = {"line": line, "since": now}
    rows = [
        shared
        | {"correlation_id": correlation_id(event.id, sender), "event_id": event.id, "position": event.position}
        | {"sender": sender, "status": status, "due": due_of(event, status, now)}
        for event, status in newest.values()
        for sender in senders
    ]
    if rows:
        ADD(conn, rows)


def status_of(event: AnyRow, opt_ins_after: int) -> str | None:
    if event.kind == "opt_out":
        return "opt-out"
    is_own = event.kind in {"reopened", "opt_in_confirmed"} or (event.kind == "opt_in" and event.source in OWN_WORD)
    return "opt-in" if is_own and event.position > opt_ins_after else None


def due_of(event: AnyRow, status: str, now: datetime) -> datetime:
    """When to tell it: an opt-out by text once its confirmation has left, all else at once."""
    is_confirmed = status == "opt-out" and event.source == "keyword"
    return max(now, (event.recorded_at or event.at) + CONFIRMED_WITHIN) if is_confirmed else now


def correlation_id(event_id: str, sender: str) -> str:
    """The same whenever it is told, so that Twilio knows a second try for what it is."""
    return hashlib.sha256(f"{event_id} {sender}".encode()).hexdigest()[:32]


def is_in_force(row: AnyRow) -> bool:
    """Twilio blocks every text of a sender, so only an opt-out of all texts is told."""
    has_opted_out = row.held == Scope.ALL.value
    return has_opted_out if row.status == "opt-out" else not has_opted_out


def item_of(row: AnyRow) -> ConsentItem:
    return ConsentItem(
        phone=row.phone,
        correlation_id=row.correlation_id,
        sender=row.sender,
        status=row.status,
        source=SOURCES.get((row.status, row.source), "others"),
        at=row.at.astimezone(UTC),
    )


def wait_until(conn: Connection, line: str, moment: datetime) -> None:
    """Ask nothing before then, whatever is new."""
    conn.execute(WAIT, {"of_line": line, "moment": moment})


def settle(
    conn: Connection,
    *,
    done: Sequence[str],
    again: Mapping[str, datetime],
    refused: Mapping[str, tuple[int, str]],
    now: datetime,
) -> None:
    if done:
        conn.execute(DROP, {"ids": list(done)})
    if again:
        conn.execute(AGAIN, [{"of_id": each, "at": due} for each, due in again.items()])
    rows = list(refusals(refused, now))
    if rows:
        conn.execute(REFUSED, rows)


def refusals(refused: Mapping[str, tuple[int, str]], now: datetime) -> Iterator[dict[str, object]]:
    for correlation, (code, why) in refused.items():
        yield {"of_id": correlation, "code": code, "because": why[:200], "now": now}


def tries_of(conn: Connection, ids: Sequence[str]) -> dict[str, int]:
    return {row.correlation_id: row.tries for row in conn.execute(TRIES, {"ids": list(ids)})}


_of_line = consent_syncs.c.line == bindparam("of_line")
_its_pushes = consent_pushes.c.line == bindparam("of_line")
_these = consent_pushes.c.correlation_id.in_(bindparam("ids", expanding=True))
CHAIN_END = select(consent_chains.c.position).where(consent_chains.c.line == bindparam("of_line"))
BEGIN = if_new(consent_syncs)
STOP = delete(consent_syncs).where(_of_line)
DROP_ALL = delete(consent_pushes).where(_its_pushes)
SYNC = select(consent_syncs).where(_of_line)
MOVE_ON = update(consent_syncs).where(_of_line).values(position=bindparam("to"))
WAIT = update(consent_syncs).where(_of_line).values(not_before=bindparam("moment", type_=UtcTime))
NEW_EVENTS = (
    select(
        consent_events.c.id,
        consent_events.c.position,
        consent_events.c.phone,
        consent_events.c.kind,
        consent_events.c.source,
        consent_events.c.at,
        consent_events.c.recorded_at,
    )
    .where(consent_events.c.line == bindparam("of_line"), consent_events.c.position > bindparam("behind"))
    .order_by(consent_events.c.position)
    .limit(bindparam("most"))
)
_of_these_people = select(consent_events.c.id).where(
    consent_events.c.line == bindparam("of_line"), consent_events.c.phone.in_(bindparam("phones", expanding=True))
)
DROP_OLDER = delete(consent_pushes).where(_its_pushes, consent_pushes.c.event_id.in_(_of_these_people))
ADD = if_new(consent_pushes)
_is_to_be_told = consent_pushes.c.refused_at.is_(None)
_held = and_(opt_outs.c.line == consent_events.c.line, opt_outs.c.phone == consent_events.c.phone)
DUE = (
    select(
        consent_pushes.c.correlation_id,
        consent_pushes.c.sender,
        consent_pushes.c.status,
        consent_events.c.phone,
        consent_events.c.source,
        consent_events.c.at,
        opt_outs.c.scope.label("held"),
    )
    .outerjoin(consent_events, consent_events.c.id == consent_pushes.c.event_id)
    .outerjoin(opt_outs, _held)
    .where(_its_pushes, _is_to_be_told, consent_pushes.c.due <= bindparam("now", type_=UtcTime))
    .order_by(consent_pushes.c.tries, consent_pushes.c.position, consent_pushes.c.sender)
    .limit(bindparam("most"))
)
DROP = delete(consent_pushes).where(_these)
TRIES = select(consent_pushes.c.correlation_id, consent_pushes.c.tries).where(_these)
NEXT_DUE = select(func.min(consent_pushes.c.due)).where(_its_pushes, _is_to_be_told)
AGAIN = (
    update(consent_pushes)
    .where(consent_pushes.c.correlation_id == bindparam("of_id"))
    .values(due=bindparam("at", type_=UtcTime), tries=consent_pushes.c.tries + 1)
)
REFUSED = (
    update(consent_pushes)
    .where(consent_pushes.c.correlation_id == bindparam("of_id"))
    .values(
        refused_at=bindparam("now", type_=UtcTime), error_code=bindparam("code"), why=bindparam("because"),
        tries=consent_pushes.c.tries + 1,
    )
)  # fmt: skip
