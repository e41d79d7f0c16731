"""The rows of a backfill: how far the list was read, what we have already, and what we never heard of."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select, update

from replyline.conversations.delivery import Status
from replyline.db.both import if_new
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import backfill_marks, conversations, texts

WHOLE_LINE = ""  # in the place of an address


def begin_line(conn: Connection, line: str, now: datetime) -> None:
    """Note when a line first answered, unless that is known."""
    mark_of(conn, line, WHOLE_LINE, began_at=now)


def begin_look(conn: Connection, line: str, now: datetime, *, away: timedelta) -> datetime:
    """Note when nobody had looked for a while; gives the end of the last time that was so."""
    mark = mark_of(conn, line, WHOLE_LINE, began_at=now)
    before: datetime = mark.away_until or mark.began_at
    if now - mark.seen_until <= away:
        return before
    conn.execute(WAS_AWAY, {"of_line": line, "address": WHOLE_LINE, "now": now})
    return now


def end_look(conn: Connection, line: str, now: datetime) -> None:
    seen(conn, line, WHOLE_LINE, now)


def since(
    conn: Connection, line: str, address: str, now: datetime, *, overlap: timedelta, unnoticed: timedelta
) -> datetime:
    """From when on an address's list has to be read. What came before we first answered there is not ours.

    An address may be `unnoticed` for so long after people began to write to it.
    """
    found = conn.execute(MARK, {"of_line": line, "address": address}).first()
    if found is None:
        first, last = conn.execute(TALKED_AT, {"of_line": line, "address": address}).one()
        whole = mark_of(conn, line, WHOLE_LINE, began_at=now)
        if whole.seen_until == whole.began_at:  # nobody has looked yet
            began_at = min(filter(None, [last, whole.began_at]))
        else:
            began_at = max(first, whole.seen_until - unnoticed) if first else now
        found = mark_of(conn, line, address, began_at=began_at)
    start: datetime = max([found.began_at, found.seen_until - overlap])
    return start.replace(microsecond=0)  # Twilio's list knows whole seconds only


def seen(conn: Connection, line: str, address: str, now: datetime) -> None:
    conn.execute(SEEN, {"of_line": line, "address": address, "now": now})


def written_to(conn: Connection, line: str, *, since: datetime) -> Sequence[str]:
    """The addresses of ours that people wrote to lately."""
    return conn.execute(WRITTEN_TO, {"of_line": line, "since": since}).scalars().all()


def missing(conn: Connection, sids: Sequence[str]) -> set[str]:
    """Those of Twilio's ids that we do not have."""
    found: set[str] = set()
    for start in range(0, len(sids), 1000):
        found |= set(conn.execute(HAVE, {"sids": list(sids[start : start + 1000])}).scalars())
    return set(sids) - found


def unheard_of(
    conn: Connection, line: str, *, oldest: datetime, newest: datetime, away_until: datetime, most: int
) -> Sequence[AnyRow]:
    """Texts that Twilio has had for a while without a word of how they ended, and that it was not asked about."""
    window = {"of_line": line, "oldest": oldest, "newest": newest, "away_until": away_until, "most": most}
    return conn.execute(UNHEARD_OF, window).all()


def looked(conn: Connection, text_ids: Sequence[str], now: datetime) -> None:
    conn.execute(LOOKED, {"ids": list(text_ids), "now": now})


def mark_of(conn: Connection, line: str, address: str, *, began_at: datetime) -> AnyRow:
    ADD(conn, {"line": line, "our_address": address, "began_at": began_at, "seen_until": began_at})
    return conn.execute(MARK, {"of_line": line, "address": address}).one()


ADD = if_new(backfill_marks)
_mark = (backfill_marks.c.line == bindparam("of_line"), backfill_marks.c.our_address == bindparam("address"))
_now = bindparam("now", type_=UtcTime)
MARK = select(backfill_marks).where(*_mark)
SEEN = update(backfill_marks).where(*_mark).values(seen_until=_now)
WAS_AWAY = update(backfill_marks).where(*_mark).values(away_until=_now)
TALKED_AT = select(func.min(conversations.c.created_at), func.max(conversations.c.last_inbound_at)).where(
    conversations.c.line == bindparam("of_line"), conversations.c.our_address == bindparam("address")
)
WRITTEN_TO = (
    select(conversations.c.our_address)
    .where(
        conversations.c.line == bindparam("of_line"),
        conversations.c.last_inbound_at >= bindparam("since", type_=UtcTime),
    )
    .distinct()
)
HAVE = select(texts.c.sid).where(texts.c.sid.in_(bindparam("sids", expanding=True)))
UNHEARD_OF = (
    select(texts.c.id, texts.c.sid)
    .where(
        texts.c.status == Status.SENT.value,
        texts.c.sending_at >= bindparam("oldest", type_=UtcTime),
        texts.c.sending_at <= bindparam("newest", type_=UtcTime),
        texts.c.sid.is_not(None),
        texts.c.line == bindparam("of_line"),
        or_(texts.c.looked_at.is_(None), texts.c.looked_at < bindparam("away_until", type_=UtcTime)),
    )
    .order_by(texts.c.sending_at)
    .limit(bindparam("most"))
)
LOOKED = update(texts).where(texts.c.id.in_(bindparam("ids", expanding=True))).values(looked_at=_now)
