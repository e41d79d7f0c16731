"""The one door every text, from anyone, leaves through."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from replyline.conversations import pictures
from replyline.conversations.delivery import Status
from replyline.conversations.pictures import OwnPicture
from replyline.conversations.segments import LONGEST_BODY, measure
from replyline.db import CHANGE, new_id, wake
from replyline.db.columns import UtcTime, micros
from replyline.db.sets import SetStatement
from replyline.db.tables import texts
from replyline.errors import ReplylineError
from replyline.outbound.pace import lane_of
from replyline.rules import reply_words
from replyline.rules.facts import Purpose
from replyline.work import Arm, arm_many

KIND = "send"
NO_LANE = ""  # what may have left already stands in no lane: finding out about it needs no room
MOST_PICTURES = 10

# Lower goes first: a person who waits for an answer comes before news, and news before a campaign.
PRIORITY = {
    Purpose.OPT_OUT_CONFIRMATION: 0,
    Purpose.HELP_REPLY: 0,
    Purpose.EMERGENCY: 0,
    Purpose.CONVERSATIONAL_REPLY: 1,
    Purpose.OPT_IN: 1,
    Purpose.TRANSACTIONAL: 5,
    Purpose.MARKETING: 9,
}
# What could not leave for so long would only puzzle. Notices and advertising have their own end, or none.
VALID_FOR = {
    Purpose.OPT_OUT_CONFIRMATION: timedelta(minutes=5),  # a later one is no confirmation (47 CFR 64.1200(a)(12))
    Purpose.HELP_REPLY: timedelta(minutes=5),
    Purpose.CONVERSATIONAL_REPLY: timedelta(hours=4),
    Purpose.OPT_IN: timedelta(hours=1),
}


# By people and templates, who can write it anew; a model has been told already, and a reply is owed.
WRITTEN_AHEAD = {Purpose.TRANSACTIONAL, Purpose.MARKETING}


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
    program: str = ""  # one that people sign up for by itself, by its key
    media_urls: Sequence[str] = ()  # pictures elsewhere, and those our store keeps:
    pictures: Sequence[OwnPicture] = ()
    messaging_service_sid: str | None = None
    turn_id: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None  # none: by its purpose


def queue_text(conn: Connection, text: NewText, now: datetime) -> str:
    """Store a text and have it sent; gives its id. It is judged when it leaves, not here. Raises `UnsendableText`."""
    return queue_texts(conn, [text], now)[0]


def queue_texts(conn: Connection, new: Sequence[NewText], now: datetime) -> list[str]:
    """`queue_text` for many; gives their ids in the same order."""
    for text in new:
        check(text)
    named = [(new_id("txt"), text, pictures.own_ids(text.pictures)) for text in new]
    ADD_TEXT(conn, [outbound_row(text_id, text, own, now) for text_id, text, own in named])
    for text_id, _, own in named:
        pictures.attach_own(conn, text_id, own)
    arm_many(
        conn,
        [
            send_work(text_id, text.purpose, lane_for(text), now=now, not_before=text.not_before)
            for text_id, text, _ in named
        ],
    )
    if named:
        wake(conn, CHANGE)
    return [text_id for text_id, _, _ in named]


def check(text: NewText) -> None:
    count = len(text.media_urls) + len(text.pictures)
    if not text.body and not count:
        raise UnsendableText("A text needs a body or a picture.")
    if len(text.body) > LONGEST_BODY:
        raise UnsendableText(f"A text may have {LONGEST_BODY} characters; this one has {len(text.body)}.")
    if text.purpose in WRITTEN_AHEAD and (why := reply_words.complaint(text.body)):
        raise UnsendableText(why)
    if count > MOST_PICTURES:
        raise UnsendableText(f"A text may carry {MOST_PICTURES} pictures; this one has {count}.")


def lane_for(text: NewText) -> str:
    sender = text.messaging_service_sid or text.our_address
    return lane_of(sender, text.phone, has_pictures=bool(text.media_urls or text.pictures))


def outbound_row(text_id: str, text: NewText, own: Iterable[str], now: datetime) -> tuple[Any, ...]:
    size, at = measure(text.body), micros(now)
    expires = text.expires_at or expires_at(text.purpose, now)
    return (
        text_id,
        text.line,
        text.conversation_id,
        False,
        text.phone,
        text.our_address,
        text.messaging_service_sid,
        text.body,
        [*({"url": url} for url in text.media_urls), *({"media": media_id} for media_id in own)] or None,
        size.encoding.value,
        size.segments,
        text.purpose.value,
        text.program or None,
        QUEUED,
        at,
        at,
        text.turn_id,
        None if text.not_before is None else micros(text.not_before),
        None if expires is None else micros(expires),
    )


def expires_at(purpose: Purpose, now: datetime) -> datetime | None:
    patience = VALID_FOR.get(purpose)
    return now + patience if patience else None


def send_work(text_id: str, purpose: Purpose, lane: str, *, now: datetime, not_before: datetime | None = None) -> Arm:
    """The work row that sends a text, or finds out about one that is in doubt and stands in no lane."""
    due = max(not_before or now, now)
    return Arm(kind=KIND, key=text_id, due=due, now=now, lane=lane, priority=PRIORITY[purpose])


def cancel_queued(conn: Connection, *, line: str, phone: str, now: datetime, why: str) -> int:
    """Cancel what has not left yet for a phone; gives how many. What Twilio may have already is not touched."""
    ids = conn.execute(QUEUED_TO, {"line": line, "phone": phone}).scalars().all()
    if not ids:
        return 0
    canceled = conn.execute(CANCEL, {"ids": list(ids), "now": now, "because": why}).rowcount
    wake(conn, CHANGE)
    return canceled


QUEUED = Status.QUEUED.value
OUTBOUND = [
    texts.c.id,
    texts.c.line,
    texts.c.conversation_id,
    texts.c.is_inbound,
    texts.c.phone,
    texts.c.our_address,
    texts.c.messaging_service_sid,
    texts.c.body,
    texts.c.media,
    texts.c.encoding,
    texts.c.segments,
    texts.c.purpose,
    texts.c.program,
    texts.c.status,
    texts.c.status_at,
    texts.c.created_at,
    texts.c.turn_id,
    texts.c.not_before,
    texts.c.expires_at,
]
ADD_TEXT = SetStatement(
    f"INSERT INTO texts ({', '.join(column.name for column in OUTBOUND)}) {{rows}}",
    OUTBOUND,
)
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
