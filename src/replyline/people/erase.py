"""Forgetting a person: content goes, the proof of consent and the opt-out stay as a keyed hash (compliance.md §9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, case, delete, insert, or_, select, update

from replyline.conversations.delivery import Status
from replyline.db import new_id
from replyline.db.columns import AnyRow
from replyline.db.tables import (
    audit_events,
    consent_events,
    consents,
    contacts,
    conversations,
    delivery_reports,
    media,
    steps,
    texts,
    turns,
)
from replyline.errors import ReplylineError
from replyline.inbound.media import key_of
from replyline.inbound.messages_at_twilio import Erasure, delete_later
from replyline.outbound.queue import cancel_queued
from replyline.people import files
from replyline.rules import consent
from replyline.rules.consent import Whose
from replyline.rules.person import ERASED, person_of
from replyline.turns.states import TurnState

LONGEST_FETCH = timedelta(minutes=10)  # a picture that takes longer to come has been given up


class CannotErase(ReplylineError):
    """A person's data cannot be erased just now, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Erased:
    """What went. The files go by work rows; a caller may delete them sooner, after the commit."""

    texts: int
    files: Sequence[str]  # keys in the media store
    sids: Sequence[str]  # Twilio's ids: it has these messages still
    is_suppressed: bool  # they had opted out, and still have


class NotKnown(CannotErase):
    """Nothing is known of that number on this line."""


def erase(conn: Connection, whose: Whose, *, secret: bytes, by: str, now: datetime, at_twilio: bool = False) -> Erased:
    """Forget a person, in one transaction; `at_twilio` has Twilio's messages deleted by work that follows.

    Raises `CannotErase` while a turn of theirs runs, or Twilio may have a text of ours that we have no id of.
    """
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA secure_delete = ON")  # else what was there stays readable in the file
    theirs = {"of_line": whose.line, "of_phone": whose.phone}
    contact = conn.execute(CONTACT, theirs).first()
    if contact is None and conn.execute(EVENTS, theirs).first() is None:
        raise NotKnown
    ids = conn.execute(CONVERSATIONS, theirs).scalars().all()
    if conn.execute(RUNNING, {"ids": ids}).first() is not None:
        raise CannotErase("They are being answered at this moment; try again in a minute.")
    if conn.execute(IN_DOUBT, {"ids": ids}).first() is not None:
        raise CannotErase("A text to them is on its way, or in doubt; try again when `replyline doctor` knows of none.")
    cancel_queued(conn, line=whose.line, phone=whose.phone, now=now, why="their data was erased")
    found = conn.execute(TEXTS, {"ids": ids}).all()
    text_ids = [row.id for row in found]
    attached = conn.execute(ATTACHED, {"ids": text_ids}).all()
    paths = sorted({row.path for row in attached if row.path})
    person = person_of(whose.phone, secret)
    # The proof comes first: whatever follows, that they were forgotten and by whom is in the ledger.
    consent.record(conn, whose, now=now, kind="erased", source="person", proof={"by": by})
    is_suppressed = consent.suppress(conn, whose, person)
    messages = messages_of(conn, found, text_ids)
    if at_twilio:
        delete_later(conn, Erasure(line=whose.line, person=person, actor=by), sorted(messages.items()), now)
    forget(conn, theirs, ids, text_ids, person, f"{ERASED}{new_id('con')}")
    files.delete_later(conn, paths, now)
    # What is just being fetched comes to where it is kept a little later.
    coming = [key_of(row.id) for row in attached if row.state == "waiting"]
    files.delete_later(conn, coming, now, due=now + LONGEST_FETCH)
    details = {"texts": len(found), "files": len(paths), "at_twilio": len(messages) if at_twilio else 0}
    conn.execute(AUDIT, {"id": new_id("aud"), "line": whose.line, "at": now, "actor": by, "kind": "erase",
                         "person": person, "details": details})  # fmt: skip
    return Erased(texts=len(found), files=paths, sids=sorted(messages), is_suppressed=is_suppressed)


def messages_of(conn: Connection, found: Sequence[AnyRow], text_ids: Sequence[str]) -> dict[str, bool]:
    """Twilio's ids of these texts, and whether something is attached; a text that left twice has two."""
    messages = {row.sid: row.media is not None for row in found if row.sid}
    has_media = {row.id: row.media is not None for row in found}
    for row in conn.execute(REPORTED, {"ids": text_ids}):
        messages.setdefault(row.sid, has_media[row.text_id])
    return messages


def forget(
    conn: Connection, theirs: dict[str, str], ids: Sequence[str], text_ids: Sequence[str], person: str, nobody: str
) -> None:
    reports = {"ids": text_ids, "sids": conn.execute(SIDS, {"ids": text_ids}).scalars().all()}
    conn.execute(REPORTS, reports)
    conn.execute(PICTURES, {"ids": text_ids})
    conn.execute(STEPS, {"ids": ids})
    conn.execute(TURNS, {"ids": ids})
    conn.execute(BODIES, {"ids": ids, "nobody": nobody})
    conn.execute(TALKS, {"ids": ids, "nobody": nobody})
    conn.execute(WHO, theirs | {"nobody": nobody})
    conn.execute(LEDGER, theirs | {"hashed": person})
    conn.execute(AGREED, theirs)


CONTACT = select(contacts.c.id).where(
    contacts.c.line == bindparam("of_line"), contacts.c.phone == bindparam("of_phone")
)
_events = (consent_events.c.line == bindparam("of_line"), consent_events.c.phone == bindparam("of_phone"))
EVENTS = select(consent_events.c.id).where(*_events).limit(1)
CONVERSATIONS = select(conversations.c.id).where(
    conversations.c.line == bindparam("of_line"), conversations.c.phone == bindparam("of_phone")
)
_of_these: BindParameter[Any] = bindparam("ids", expanding=True)
RUNNING = (
    select(turns.c.id)
    .where(turns.c.conversation_id.in_(_of_these), turns.c.state.in_([TurnState.RUNNING, TurnState.WAITING]))
    .limit(1)
)
IN_DOUBT = (
    select(texts.c.id)
    .where(texts.c.conversation_id.in_(_of_these), texts.c.status.in_([Status.SENDING, Status.UNKNOWN]))
    .limit(1)
)
TEXTS = select(texts.c.id, texts.c.sid, texts.c.media).where(texts.c.conversation_id.in_(_of_these))
SIDS = select(texts.c.sid).where(texts.c.id.in_(_of_these), texts.c.sid.is_not(None))
REPORTED = (
    select(delivery_reports.c.sid, delivery_reports.c.text_id)
    .where(delivery_reports.c.text_id.in_(_of_these))
    .distinct()
)
ATTACHED = select(media.c.id, media.c.path, media.c.state).where(media.c.text_id.in_(_of_these))
REPORTS = (
    update(delivery_reports)
    .where(
        or_(delivery_reports.c.text_id.in_(_of_these), delivery_reports.c.sid.in_(bindparam("sids", expanding=True)))
    )
    .values(fields={})
)
# Twilio's copy that is due to be deleted is found by its address, which holds ids alone.
_address = case((media.c.twilio_copy == "due", media.c.url), else_="")
PICTURES = (
    update(media).where(media.c.text_id.in_(_of_these)).values(url=_address, path=None, state="lost", why="erased")
)
STEPS = (
    update(steps)
    .where(steps.c.turn_id.in_(select(turns.c.id).where(turns.c.conversation_id.in_(_of_these))))
    .values(input=None, output=None, error=None)
)
TURNS = update(turns).where(turns.c.conversation_id.in_(_of_these)).values(record=None, why=None)
BODIES = (
    update(texts)
    .where(texts.c.conversation_id.in_(_of_these))
    .values(body="", media=None, fields=None, why=None, phone=bindparam("nobody"))
)
TALKS = update(conversations).where(conversations.c.id.in_(_of_these)).values(phone=bindparam("nobody"))
WHO = (
    update(contacts)
    .where(contacts.c.line == bindparam("of_line"), contacts.c.phone == bindparam("of_phone"))
    .values(phone=bindparam("nobody"), name=None, notes=None, zone=None, state=None, postal_code=None)
)
LEDGER = (
    update(consent_events)
    .where(*_events)
    .values(phone=None, person=bindparam("hashed"), word=None, proof=None, salt=None)
)
AGREED = delete(consents).where(consents.c.line == bindparam("of_line"), consents.c.phone == bindparam("of_phone"))
AUDIT = insert(audit_events)
