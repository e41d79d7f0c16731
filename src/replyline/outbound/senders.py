"""How fast each sender may go. The row of a sender is its rate limit, so it holds over all processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from replyline.db.columns import UtcTime
from replyline.db.tables import senders
from replyline.phone_numbers import SenderKind, sender_kind

# Segments a second, from twilio.md §7 [queues], [10dlc]. Twilio queues what comes faster for up to ten hours; pacing
# here keeps a reply from waiting there behind others. A long code's own rate depends on its registration (0.25 to 225),
# so this is the low-volume one; the line's `segments_per_second` says better.
DEFAULT_RATE: Mapping[SenderKind, float] = {
    SenderKind.LONG_CODE: 4,
    SenderKind.TOLL_FREE: 3,
    SenderKind.SHORT_CODE: 100,
    SenderKind.ALPHANUMERIC: 10,
    SenderKind.MESSAGING_SERVICE: 10,
    SenderKind.CHANNEL: 80,
}
# What may leave at once before the rate bites: Twilio's queue absorbs it without anyone noticing.
HEADROOM = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A text that asks its sender for room."""

    sender: str
    segments: int
    rate: float | None  # segments a second; none: by the sender's kind


def take_room(conn: Connection, wanted: Sequence[Wanted], now: datetime) -> list[datetime | None]:
    """Take room for each text, in order (GCRA). None: it may leave now. A time: not before then, and nothing is taken."""
    names = sorted({each.sender for each in wanted})
    insert = ADD_POSTGRES if conn.dialect.name == "postgresql" else ADD_SQLITE
    conn.execute(insert, [{"address": name, "spoken_for_until": now} for name in names])
    until = {row.address: row.spoken_for_until for row in conn.execute(LOCK, {"names": names})}
    before = dict(until)
    rooms = [one(each, until, now) for each in wanted]
    if moved := [{"name": name, "to": until[name]} for name in names if until[name] != before[name]]:
        conn.execute(MOVE, moved)
    return rooms


def one(wanted: Wanted, until: dict[str, datetime], now: datetime) -> datetime | None:
    start = max(until[wanted.sender], now)
    if start - now > HEADROOM:
        return start - HEADROOM
    rate = wanted.rate or DEFAULT_RATE[sender_kind(wanted.sender)]
    until[wanted.sender] = start + timedelta(seconds=wanted.segments / rate)
    return None


ADD_POSTGRES = postgres_insert(senders).on_conflict_do_nothing()
ADD_SQLITE = sqlite_insert(senders).on_conflict_do_nothing()
LOCK = (
    select(senders)
    .where(senders.c.address.in_(bindparam("names", expanding=True)))
    .order_by(senders.c.address)
    .with_for_update()
)
MOVE = (
    update(senders)
    .where(senders.c.address == bindparam("name"))
    .values(spoken_for_until=bindparam("to", type_=UtcTime))
)
