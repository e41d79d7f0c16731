"""How often things happened, minute by minute: what no row of its own tells, or what would be slow to count again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select

from replyline.db.both import OnBoth
from replyline.db.columns import UtcTime
from replyline.db.tables import tallies

KEPT = timedelta(days=2)


def add(conn: Connection, counts: Mapping[str, int], at: datetime) -> None:
    """Add to the counts of a minute. Names are sorted, so that two who add do not wait for each other's rows."""
    minute = at.replace(second=0, microsecond=0)
    rows = [{"name": name, "at": minute, "count": count} for name, count in sorted(counts.items())]
    if rows:
        ADD(conn, rows)


def since(conn: Connection, moment: datetime, until: datetime) -> dict[str, int]:
    """How often each thing happened after one moment and up to another, whole minutes."""
    return {row.name: int(row.how_many) for row in conn.execute(SINCE, {"since": moment, "until": until})}


def last(conn: Connection, name: str, until: datetime) -> int | None:
    """What was counted under a name in the last minute up to a moment; none when nothing was."""
    found: int | None = conn.execute(LAST, {"of": name, "until": until}).scalar()
    return found


def newest(conn: Connection, name: str) -> datetime | None:
    """The last minute in which something was counted under a name."""
    found: datetime | None = conn.execute(NEWEST, {"of": name}).scalar()
    return found


def forget(conn: Connection, now: datetime) -> None:
    conn.execute(FORGET, {"before": now - KEPT})


def _counted(insert: Any) -> Any:
    added = insert(tallies)
    more = {"count": tallies.c.count + added.excluded.count}
    return added.on_conflict_do_update(index_elements=[tallies.c.name, tallies.c.at], set_=more)


ADD = OnBoth(_counted)
SINCE = (
    select(tallies.c.name, func.sum(tallies.c.count).label("how_many"))
    .where(tallies.c.at > bindparam("since", type_=UtcTime), tallies.c.at <= bindparam("until", type_=UtcTime))
    .group_by(tallies.c.name)
)
LAST = (
    select(tallies.c.count)
    .where(tallies.c.name == bindparam("of"), tallies.c.at <= bindparam("until", type_=UtcTime))
    .order_by(tallies.c.at.desc())
    .limit(1)
)
NEWEST = select(func.max(tallies.c.at)).where(tallies.c.name == bindparam("of"))
FORGET = delete(tallies).where(tallies.c.at < bindparam("before", type_=UtcTime))
