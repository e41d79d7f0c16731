"""How many texts left in an hour, to each country, block of numbers and contact: counted where they leave."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, select, update

from replyline.db.columns import AnyRow, UtcTime, micros
from replyline.db.sets import SetStatement
from replyline.db.tables import hourly_sends

KEPT = timedelta(days=8)


def this_hour(conn: Connection, line: str, keys: Collection[str], hour: datetime) -> dict[str, AnyRow]:
    """The counts of this hour, by key."""
    given = {"of_line": line, "keys": sorted(keys), "hour": hour}
    return {row.key: row for row in conn.execute(THIS_HOUR, given)} if keys else {}


def week_before(
    conn: Connection, line: str, keys: Collection[str], hour: datetime, since: datetime
) -> dict[str, AnyRow]:
    """The sums of the hours before this one, by key."""
    given = {"of_line": line, "keys": sorted(keys), "hour": hour, "since": since}
    return {row.key: row for row in conn.execute(BEFORE, given)} if keys else {}


def count(conn: Connection, line: str, counts: Mapping[str, int], hour: datetime) -> None:
    """Count texts that leave."""
    COUNT(conn, [(line, key, micros(hour), number) for key, number in sorted(counts.items())])


def told(conn: Connection, line: str, key: str, hour: datetime, now: datetime) -> None:
    """Somebody was told of a jump."""
    conn.execute(TOLD, {"of_line": line, "of_key": key, "of_hour": hour, "now": now})


def forget(conn: Connection, now: datetime) -> None:
    """Let go of hours that nothing is compared with any more."""
    conn.execute(FORGET, {"before": now - KEPT})


_h = hourly_sends.c
_of_keys = (_h.line == bindparam("of_line"), _h.key.in_(bindparam("keys", expanding=True)))
_hour = bindparam("hour", type_=UtcTime)
THIS_HOUR = select(hourly_sends).where(*_of_keys, _h.hour == _hour)
BEFORE = (
    select(
        _h.key,
        func.sum(_h.sent).label("before"),
        func.count().label("hours"),
        func.max(_h.alerted_at).label("alerted_at"),
    )
    .where(*_of_keys, _h.hour < _hour, _h.hour >= bindparam("since", type_=UtcTime))
    .group_by(_h.key)
)
COUNT = SetStatement(
    "INSERT INTO hourly_sends (line, key, hour, sent) {rows}"
    " ON CONFLICT (line, key, hour) DO UPDATE SET sent = hourly_sends.sent + excluded.sent",
    [_h.line, _h.key, _h.hour, _h.sent],
)
TOLD = (
    update(hourly_sends)
    .where(
        _h.line == bindparam("of_line"), _h.key == bindparam("of_key"), _h.hour == bindparam("of_hour", type_=UtcTime)
    )
    .values(alerted_at=bindparam("now", type_=UtcTime))
)
FORGET = delete(hourly_sends).where(_h.hour < bindparam("before", type_=UtcTime))
