"""What of some conversations is older than a line keeps it: found, counted and taken away, kind by kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    Text,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union,
    update,
)

from replyline.conversations.delivery import Status
from replyline.db.columns import Json, UtcTime
from replyline.db.tables import decisions, delivery_reports, media, steps, texts, turns
from replyline.people import files
from replyline.plugins.keeps import Keeps
from replyline.turns.states import TurnState

Ids = Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of data: what of it is too old, and what taking it away is."""

    find: Select[Any]  # ids, of the conversations `ids`, from before `before`
    take: Callable[[Connection, Ids, datetime], None]


def kept_until(keeps: Keeps, name: str, now: datetime) -> datetime | None:
    """What is older than this goes; none: nothing does."""
    days: int | None = getattr(keeps, name)
    return None if days is None else now - timedelta(days=days)


def at_rest(conn: Connection, conversation_ids: Ids) -> list[str]:
    """Those of the conversations in which nothing is queued, in doubt, unanswered or being answered."""
    busy = set(conn.execute(BUSY, {"ids": list(conversation_ids)}).scalars())
    return [each for each in conversation_ids if each not in busy]


def count(conn: Connection, kind: Kind, ids: Ids, before: datetime) -> int:
    found = select(func.count()).select_from(kind.find.subquery())
    return conn.execute(found, {"ids": list(ids), "before": before}).scalar_one()


def take(conn: Connection, kind: Kind, ids: Ids, before: datetime, now: datetime, *, most: int) -> int:
    """Take away at most so many; gives how many it were."""
    found = conn.execute(kind.find.limit(most), {"ids": list(ids), "before": before}).scalars().all()
    if found:
        kind.take(conn, found, now)
    return len(found)


def take_words(conn: Connection, found: Ids, now: datetime) -> None:
    conn.execute(NO_WORDS, {"found": list(found)})


def take_pictures(conn: Connection, found: Ids, now: datetime) -> None:
    paths = conn.execute(PATHS, {"found": list(found)}).scalars().all()
    conn.execute(NO_PICTURES, {"found": list(found)})
    files.delete_later(conn, paths, now)


def take_answers(conn: Connection, found: Ids, now: datetime) -> None:
    conn.execute(NO_STEPS, {"found": list(found)})
    conn.execute(NO_RECORDS, {"found": list(found)})


def take_decisions(conn: Connection, found: Ids, now: datetime) -> None:
    conn.execute(NO_DECISIONS, {"found": list(found)})


def take_reports(conn: Connection, found: Ids, now: datetime) -> None:
    conn.execute(NO_REPORTS, {"found": list(found)})


_ids: BindParameter[Any] = bindparam("ids", expanding=True)
_found: BindParameter[Any] = bindparam("found", expanding=True)
_before = bindparam("before", type_=UtcTime)
BUSY = union(
    select(texts.c.conversation_id).where(
        texts.c.conversation_id.in_(_ids), texts.c.status.in_([Status.QUEUED, Status.SENDING, Status.UNKNOWN])
    ),
    select(texts.c.conversation_id).where(
        texts.c.conversation_id.in_(_ids), texts.c.is_inbound, texts.c.handled_at.is_(None)
    ),
    select(turns.c.conversation_id).where(
        turns.c.conversation_id.in_(_ids), turns.c.state.in_([TurnState.RUNNING, TurnState.WAITING])
    ),
)
_old_texts = (texts.c.conversation_id.in_(_ids), texts.c.created_at < _before)
WORDS = select(texts.c.id).where(
    *_old_texts, or_(texts.c.body != "", cast(texts.c.media, Text) != "[]", texts.c.fields.is_not(None))
)
# That there were pictures stays: Twilio's copies are found by it when somebody asks for their erasure.
NO_WORDS = (
    update(texts)
    .where(texts.c.id.in_(_found))
    .values(body="", fields=null(), media=case((texts.c.media.is_not(None), literal([], Json)), else_=null()))
)
_is_due_at_twilio = func.coalesce(media.c.twilio_copy, "") == "due"
PICTURES = (
    select(media.c.id)
    .join(texts, texts.c.id == media.c.text_id)
    .where(*_old_texts, or_(media.c.path.is_not(None), (media.c.url != "") & ~_is_due_at_twilio))
)
PATHS = select(media.c.path).where(media.c.id.in_(_found), media.c.path.is_not(None)).distinct()
NO_PICTURES = (
    update(media)
    .where(media.c.id.in_(_found))
    .values(path=None, url=case((_is_due_at_twilio, media.c.url), else_=""), state="lost", why="kept no longer")
)
_says_something = or_(steps.c.input.is_not(None), steps.c.output.is_not(None), steps.c.error.is_not(None))
ANSWERS = select(turns.c.id).where(
    turns.c.conversation_id.in_(_ids),
    turns.c.created_at < _before,
    or_(turns.c.record.is_not(None), exists().where(steps.c.turn_id == turns.c.id, _says_something)),
)
NO_STEPS = update(steps).where(steps.c.turn_id.in_(_found)).values(input=None, output=None, error=None)
NO_RECORDS = update(turns).where(turns.c.id.in_(_found)).values(record=null(), why=None)
DECISIONS = (
    select(decisions.c.id)
    .join(texts, texts.c.id == decisions.c.text_id)
    .where(texts.c.conversation_id.in_(_ids), decisions.c.at < _before)
)
NO_DECISIONS = delete(decisions).where(decisions.c.id.in_(_found))
REPORTS = (
    select(delivery_reports.c.id)
    .join(texts, texts.c.id == delivery_reports.c.text_id)
    .where(
        texts.c.conversation_id.in_(_ids),
        delivery_reports.c.received_at < _before,
        cast(delivery_reports.c.fields, Text) != "{}",
    )
)
NO_REPORTS = update(delivery_reports).where(delivery_reports.c.id.in_(_found)).values(fields={})

KINDS: Mapping[str, Kind] = {
    "words": Kind(find=WORDS, take=take_words),
    "pictures": Kind(find=PICTURES, take=take_pictures),
    "answers": Kind(find=ANSWERS, take=take_answers),
    "decisions": Kind(find=DECISIONS, take=take_decisions),
    "reports": Kind(find=REPORTS, take=take_reports),
}
