"""Several notices for one person become one text, where that saves segments: `Line(digest_minutes=30)`."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from replyline.conversations.delivery import Status
from replyline.conversations.segments import LONGEST_BODY, measure
from replyline.db.columns import AnyRow
from replyline.db.tables import texts
from replyline.rules.facts import Purpose

Key = tuple[str, str, str]  # conversation, sender, program
GATHERING = "it waits for other notices to go with it"
BETWEEN = "\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """One text, and those whose words are in it too."""

    body: str
    others: tuple[AnyRow, ...]


def may_join(row: AnyRow) -> bool:
    """Whether a text is one of those that are put together: notices, without pictures."""
    return row.purpose == Purpose.TRANSACTIONAL.value and not row.media


def gathers_until(row: AnyRow, minutes: float) -> datetime:
    """Until when a notice waits for others."""
    begins: datetime = max(row.created_at, row.not_before or row.created_at)
    return begins + timedelta(minutes=minutes)


def waiting_notices(conn: Connection, rows: Collection[AnyRow], now: datetime) -> Mapping[Key, Sequence[AnyRow]]:
    """The notices in the queue for these conversations, the oldest first; their rows are held until the commit."""
    found: dict[Key, list[AnyRow]] = defaultdict(list)
    ids = sorted({row.conversation_id for row in rows if may_join(row)})
    for row in conn.execute(WAITING, {"ids": ids}) if ids else ():
        is_ready = row.not_before is None or row.not_before <= now
        is_over = row.expires_at is not None and row.expires_at <= now
        if may_join(row) and is_ready and not is_over:
            found[key_of(row)].append(row)
    return found


def key_of(row: AnyRow) -> Key:
    return row.conversation_id, row.messaging_service_sid or row.our_address, row.program or ""


def digest(row: AnyRow, waiting: Sequence[AnyRow]) -> Digest:
    """The text with as many of the others as save segments, in the order they were written."""
    taken = [row]
    for other in waiting:
        if other.id == row.id:
            continue
        together = sorted([*taken, other], key=lambda each: (each.created_at, each.id))
        body = joined(together)
        alone = measure(joined(taken)).segments + measure(other.body).segments
        if len(body) <= LONGEST_BODY and measure(body).segments < alone:
            taken = together
    return Digest(body=joined(taken), others=tuple(each for each in taken if each.id != row.id))


def joined(rows: Sequence[AnyRow]) -> str:
    return BETWEEN.join(row.body for row in rows)


WAITING = (
    select(texts)
    .where(
        texts.c.conversation_id.in_(bindparam("ids", expanding=True)),
        texts.c.is_inbound.is_(False),
        texts.c.status == Status.QUEUED.value,
        texts.c.purpose == Purpose.TRANSACTIONAL.value,
    )
    .order_by(texts.c.created_at, texts.c.id)
    .with_for_update()
)
