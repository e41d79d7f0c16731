"""The one door every text, from anyone, leaves through."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from replyline.conversations import pictures
from replyline.conversations.delivery import Status
from replyline.conversations.pictures import OwnPicture
from replyline.conversations.segments import LONGEST_BODY, measure
from replyline.db import CHANGE, new_id, wake
from replyline.db.columns import UtcTime
from replyline.db.tables import texts
from replyline.errors import ReplylineError
from replyline.rules.facts import Purpose
from replyline.work import Arm, arm_many

KIND = "send"
MOST_PICTURES = 10

# Lower goes first: a person who waits for an answer comes before news, and news before a campaign.
PRIORITY = {
    Purpose.OPT_OUT_CONFIRMATION: 0,
    Purpose.HELP_REPLY: 0,
    Purpose.EMERGENCY: 0,
    Purpose.CONVERSATIONAL_REPLY: 1,
    Purpose.TRANSACTIONAL: 5,
    Purpose.MARKETING: 9,
}


class UnsendableText(ReplylineError):
    """A text that Twilio could not carry."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewText:
    """What somebody wants to say to a phone."""

    line: str
    conversation_id: str
    phone: str
    our_address: str  # the number, short code or id it leaves from
    body: str
    purpose: Purpose
    media_urls: Sequence[str] = ()  # pictures elsewhere, and those our store keeps:
    pictures: Sequence[OwnPicture] = ()
    messaging_service_sid: str | None = None
    turn_id: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None


def queue_text(conn: Connection, text: NewText, now: datetime) -> str:
    """Store a text and have it sent; gives its id. It is judged when it leaves, not here. Raises `UnsendableText`."""
    count = len(text.media_urls) + len(text.pictures)
    if not text.body and not count:
        raise UnsendableText("A text needs a body or a picture.")
    if len(text.body) > LONGEST_BODY:
        raise UnsendableText(f"A text may have {LONGEST_BODY} characters; this one has {len(text.body)}.")
    if count > MOST_PICTURES:
        raise UnsendableText(f"A text may carry {MOST_PICTURES} pictures; this one has {count}.")
    text_id = new_id("txt")
    size = measure(text.body)
    own = pictures.own_ids(text.pictures)
    conn.execute(
        ADD_TEXT,
        {
            "id": text_id,
            "line": text.line,
            "conversation_id": text.conversation_id,
            "is_inbound": False,
            "phone": text.phone,
            "our_address": text.our_address,
            "messaging_service_sid": text.messaging_service_sid,
            "body": text.body,
            "media": [*({"url": url} for url in text.media_urls), *({"media": media_id} for media_id in own)] or None,
            "encoding": size.encoding.value,
            "segments": size.segments,
            "purpose": text.purpose.value,
            "status": Status.QUEUED.value,
            "status_at": now,
            "created_at": now,
            "turn_id": text.turn_id,
            "not_before": text.not_before,
            "expires_at": text.expires_at,
        },
    )
    pictures.attach_own(conn, text_id, own)
    sender = text.messaging_service_sid or text.our_address
    arm_many(conn, [send_work(text_id, text.purpose, sender, now=now, not_before=text.not_before)])
    wake(conn, CHANGE)
    return text_id


def send_work(text_id: str, purpose: Purpose, sender: str, *, now: datetime, not_before: datetime | None = None) -> Arm:
    """The work row that sends a text, or finds out about one that is in doubt."""
    due = max(not_before or now, now)
    return Arm(kind=KIND, key=text_id, due=due, now=now, lane=sender, priority=PRIORITY[purpose])


def cancel_queued(conn: Connection, *, line: str, phone: str, now: datetime, why: str) -> int:
    """Cancel what has not left yet for a phone; gives how many. What Twilio may have already is not touched."""
    ids = conn.execute(QUEUED_TO, {"line": line, "phone": phone}).scalars().all()
    if not ids:
        return 0
    canceled = conn.execute(CANCEL, {"ids": list(ids), "now": now, "because": why}).rowcount
    wake(conn, CHANGE)
    return canceled


ADD_TEXT = insert(texts)
QUEUED_TO = select(texts.c.id).where(
    texts.c.line == bindparam("line"),
    texts.c.phone == bindparam("phone"),
    texts.c.is_inbound.is_(False),
    texts.c.status == Status.QUEUED.value,
)
CANCEL = (
    update(texts)
    .where(texts.c.id.in_(bindparam("ids", expanding=True)), texts.c.status == Status.QUEUED.value)
    .values(status=Status.CANCELED.value, status_at=bindparam("now", type_=UtcTime), why=bindparam("because"))
)
