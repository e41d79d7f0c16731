"""What goes on, and what is to be told of it: written in the transaction of whoever found it."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from replyline.alerts.level import Level
from replyline.alerts.transitions import Alert, Event, remind, seen
from replyline.db import CHANGE, new_id, wake
from replyline.db.both import if_new
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import alert_tellings, alerts
from replyline.log import get_log
from replyline.phone_numbers import masked
from replyline.work import arm

log = get_log(__name__)

KIND = "alert"  # the work of telling what there is to tell of one alert, in its order
KEPT = timedelta(days=30)
LONGEST = 1_000  # characters of a sentence; PagerDuty takes 1,024 with what goes before it
E164 = re.compile(r"\+\d{7,15}(?!\d)")


def raise_alert(conn: Connection, key: str, level: Level, sentence: str, *, now: datetime) -> None:
    """Have people told, once, that something went wrong. It goes on until `end_alert`; raise it as often as you like.

    `key` names what it is about, for people too: "budget". The sentence names nobody and quotes nobody.
    """
    if level is Level.OK:
        raise ValueError("What is well is no alert; end it with end_alert.")
    note(conn, key, level, sentence, now, is_watched=False)


def end_alert(conn: Connection, key: str, *, now: datetime) -> None:
    """Say that what was raised is over, at once. Nothing happens when it does not go on."""
    before = held(conn, key)
    if before is not None:
        write(conn, before, None, Event.ENDED, now)


def note(conn: Connection, key: str, level: Level, says: str, now: datetime, *, is_watched: bool) -> None:
    """What a look has found of one thing; an OK counts too."""
    if level is not Level.OK:
        ADD(conn, {"key": key})
    before = held(conn, key)
    after, event = seen(before, key, level, without_numbers(says), now, is_watched=is_watched)
    if after != before:
        write(conn, before, after, event, now)


def remind_of_raised(conn: Connection, now: datetime) -> None:
    """Tell again of what was raised, not looked at, and has gone on for another day."""
    for alert in going_on(conn):
        if not alert.is_watched and (before := held(conn, alert.key)):
            after, event = remind(before, now)
            if event is not None:
                write(conn, before, after, event, now)


def going_on(conn: Connection) -> list[Alert]:
    """What goes on now, the most urgent first."""
    found = [as_alert(row) for row in conn.execute(GOING_ON)]
    return sorted(found, key=lambda alert: (alert.level is not Level.WRONG, alert.since, alert.key))


def held(conn: Connection, key: str) -> Alert | None:
    """An alert that goes on, locked, so that of two who see it begin one tells."""
    row = conn.execute(HOLD, {"of": key}).first()
    return as_alert(row) if row and row.level is not None else None


def write(conn: Connection, before: Alert | None, after: Alert | None, event: Event | None, now: datetime) -> None:
    """Keep what goes on, and arm the telling of what happened."""
    alert = after or before
    assert alert is not None
    conn.execute(KEEP, {"of": alert.key} | row_of(after))
    if event is None:
        return
    log.warning("alert", key=alert.key, alert=event.value, urgency=alert.level.value, says=alert.says)
    told = {"level": alert.level.value, "says": alert.says, "since": alert.since}
    row: dict[str, Any] = {"id": new_id("alt"), "key": alert.key, "event": event.value, "at": now, "told": [], **told}
    conn.execute(insert(alert_tellings).values(row))
    arm(conn, kind=KIND, key=alert.key, due=now, now=now, priority=1)
    wake(conn, CHANGE)


def to_tell(conn: Connection, key: str) -> Sequence[AnyRow]:
    """What nobody has finished telling of one alert, the oldest first."""
    return conn.execute(TO_TELL, {"of": key}).all()


def forget(conn: Connection, now: datetime) -> None:
    """Let go of what was told long ago."""
    conn.execute(FORGET, {"before": now - KEPT})


def without_numbers(says: str) -> str:
    """Whoever raised it was to name nobody; a number that slipped in does not leave."""
    return E164.sub(lambda found: masked(found[0]), says)[:LONGEST]


def as_alert(row: AnyRow) -> Alert:
    return Alert(
        key=row.key,
        level=Level(row.level),
        says=row.says,
        since=row.since,
        seen_at=row.seen_at,
        told_at=row.told_at,
        is_watched=row.is_watched,
    )


def row_of(alert: Alert | None) -> dict[str, Any]:
    if alert is None:
        return dict.fromkeys(("level", "says", "since", "seen_at", "told_at", "is_watched"))
    return {
        "level": alert.level.value,
        "says": alert.says,
        "since": alert.since,
        "seen_at": alert.seen_at,
        "told_at": alert.told_at,
        "is_watched": alert.is_watched,
    }


ADD = if_new(alerts)
GOING_ON = select(alerts).where(alerts.c.level.is_not(None))
HOLD = select(alerts).where(alerts.c.key == bindparam("of")).with_for_update()
KEEP = update(alerts).where(alerts.c.key == bindparam("of"))  # what is kept is named in the call
TO_TELL = (
    select(alert_tellings)
    .where(alert_tellings.c.key == bindparam("of"), alert_tellings.c.over_at.is_(None))
    .order_by(alert_tellings.c.at, alert_tellings.c.id)
)
FORGET = delete(alert_tellings).where(alert_tellings.c.over_at < bindparam("before", type_=UtcTime))
