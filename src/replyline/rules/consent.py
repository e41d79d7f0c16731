"""What people agreed to and took back, towards one line. Only the person's own opt-in undoes an opt-out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update
from sqlalchemy.sql import Executable

from replyline.db.both import OnBoth
from replyline.db.columns import UtcTime, micros
from replyline.db.sets import SetStatement
from replyline.db.tables import consent_events, consents, contacts, opt_outs, suppressions
from replyline.errors import ReplylineError
from replyline.plugins.programs import Tier
from replyline.rules import consent_news, ledger
from replyline.rules.facts import Purpose, Scope

HELD_BY_TWILIO = 21610  # the error code of a text that Twilio would not send: it holds an opt-out of this person


class OptedOut(ReplylineError):
    """Somebody else than the person would undo their opt-out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Whose:
    """Whose consent: a person's, towards one line."""

    line: str
    phone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OptIn:
    """What somebody agrees to, and how that is known."""

    purpose: Purpose
    tier: Tier
    source: str  # web_form, person, import, keyword
    program: str = ""
    is_confirmed: bool = False  # they answered our own question too
    expires_at: datetime | None = None
    proof: Mapping[str, str] = field(default_factory=dict)  # what was shown, where, by whom


def opt_out(
    conn: Connection,
    whose: Whose,
    *,
    now: datetime,
    source: str,
    scope: Scope = Scope.ALL,
    word: str | None = None,
    matched_by: str | None = None,
    text_id: str | None = None,
    proof: Mapping[str, str] | None = None,
) -> None:
    """Nobody texts this person for this line any more. Sources: keyword, carrier, person, import."""
    # The row lock makes a send that is just being judged wait for us, so that nothing is claimed after our commit.
    conn.execute(LOCK_CONTACT, parameters(whose))
    OPT_OUT(conn, [(whose.line, whose.phone, scope.value, micros(now), source, text_id)])
    conn.execute(TAKE_BACK[scope], parameters(whose))
    record(
        conn,
        whose,
        now=now,
        kind="opt_out",
        source=source,
        scope=scope.value,
        word=word,
        matched_by=matched_by,
        text_id=text_id,
        proof=proof,
    )


def reopen(
    conn: Connection,
    whose: Whose,
    *,
    now: datetime,
    person: str | None = None,  # the keyed hash of a number that was erased once
    word: str | None = None,
    matched_by: str | None = None,
    text_id: str | None = None,
) -> None:
    """The person wrote START: replies may go out again. It is not consent to marketing."""
    conn.execute(REOPEN, parameters(whose))
    if person is not None:
        conn.execute(LIFT, {"of_line": whose.line, "of_person": person})
    record(conn, whose, now=now, kind="reopened", source="keyword", word=word, matched_by=matched_by, text_id=text_id)


def opt_in(conn: Connection, whose: Whose, given: OptIn, *, now: datetime, since: datetime | None = None) -> str:
    """Somebody agrees to be texted unasked; gives the event's id. Raises `OptedOut`: only their own START undoes that."""
    conn.execute(LOCK_CONTACT, parameters(whose))
    held = conn.execute(OPTED_OUT, parameters(whose)).first()
    if held is not None and held.scope in {Scope.ALL.value, given.purpose.value}:
        raise OptedOut(
            f"They opted out of this line's texts on {held.since:%Y-%m-%d}; only their own START undoes that."
        )
    event_id = record(
        conn,
        whose,
        now=since or now,
        kind="opt_in_confirmed" if given.is_confirmed else "opt_in",
        source=given.source,
        scope=given.purpose.value,
        tier=given.tier.value,
        program=given.program or None,
        proof=given.proof,
        recorded_at=now,
    )
    keys = parameters(whose) | {"for_purpose": given.purpose.value, "of_program": given.program}
    conn.execute(FORGET, keys)
    conn.execute(
        AGREE,
        {
            "line": whose.line,
            "phone": whose.phone,
            "purpose": given.purpose.value,
            "program": given.program,
            "tier": given.tier.value,
            "is_confirmed": given.is_confirmed,
            "since": since or now,
            "expires_at": given.expires_at,
            "event_id": event_id,
        },
    )
    return event_id


def confirm(
    conn: Connection, whose: Whose, *, program: str, now: datetime, word: str, text_id: str, question: str
) -> Purpose | None:
    """They said yes to our question: what they signed up for counts. Gives its purpose; none when there was nothing."""
    conn.execute(LOCK_CONTACT, parameters(whose))
    found = conn.execute(UNCONFIRMED, parameters(whose) | {"of_program": program}).all()
    for row in found:
        event_id = record(
            conn,
            whose,
            now=now,
            kind="opt_in_confirmed",
            source="keyword",
            scope=row.purpose,
            tier=row.tier,
            program=program or None,
            word=word,
            text_id=text_id,
            proof={"question": question},
        )
        conn.execute(
            CONFIRM, parameters(whose) | {"for_purpose": row.purpose, "of_program": program, "event": event_id}
        )
    purposes = {Purpose(row.purpose) for row in found}
    return Purpose.MARKETING if Purpose.MARKETING in purposes else next(iter(purposes), None)


def reassigned(conn: Connection, whose: Whose, *, now: datetime, source: str) -> None:
    """The number belongs to somebody else now: what its last owner agreed to does not count for them."""
    conn.execute(LOCK_CONTACT, parameters(whose))
    conn.execute(TAKE_BACK[Scope.ALL], parameters(whose))
    record(conn, whose, now=now, kind="reassigned", source=source)


def record(
    conn: Connection,
    whose: Whose,
    *,
    now: datetime,
    kind: str,
    source: str,
    scope: str | None = None,
    tier: str | None = None,
    program: str | None = None,
    word: str | None = None,
    matched_by: str | None = None,
    text_id: str | None = None,
    proof: Mapping[str, str] | None = None,
    recorded_at: datetime | None = None,
) -> str:
    """Append to the line's ledger; nothing there is ever changed. Gives the event's id."""
    event = ledger.Event(
        line=whose.line,
        phone=whose.phone,
        kind=kind,
        source=source,
        at=now,
        scope=scope,
        tier=tier,
        program=program,
        matched_by=matched_by,
        word=word,
        text_id=text_id,
        proof=proof or {},
    )
    event_id = ledger.append(conn, event, recorded_at or now)
    consent_news.tell_later(conn, whose.line, recorded_at or now)
    return event_id


def has_reopened_since(conn: Connection, whose: Whose, moment: datetime) -> bool:
    """Whether the person wrote START after that moment."""
    return conn.execute(REOPENED_SINCE, parameters(whose) | {"moment": moment}).first() is not None


def has_opted_out(conn: Connection, whose: Whose) -> bool:
    """Whether they want no text at all."""
    held = conn.execute(OPTED_OUT, parameters(whose)).first()
    return held is not None and held.scope == Scope.ALL.value


def suppress(conn: Connection, whose: Whose, person: str) -> bool:
    """Have an opt-out outlive the number: from now on it is known by a keyed hash. True when there was one."""
    held = conn.execute(OPTED_OUT, parameters(whose)).first()
    if held is None:
        return False
    keep = {"line": whose.line, "person": person, "scope": held.scope, "since": held.since, "source": held.source}
    SUPPRESS(conn, keep)
    conn.execute(REOPEN, parameters(whose))
    return True


def suppressed_since(conn: Connection, line: str, person: str) -> datetime | None:
    """Since when somebody is suppressed whose number was erased."""
    return conn.execute(SUPPRESSED_SINCE, {"of_line": line, "of_person": person}).scalar()


def parameters(whose: Whose) -> dict[str, str]:
    return {"of_line": whose.line, "of_phone": whose.phone}


LOCK_CONTACT = (
    update(contacts)
    .where(contacts.c.line == bindparam("of_line"), contacts.c.phone == bindparam("of_phone"))
    .values(phone=contacts.c.phone)
)
# Who has opted out of advertising, and then of notices, has opted out of all.
OPT_OUT = SetStatement(
    "INSERT INTO opt_outs (line, phone, scope, since, source, text_id) {rows} ON CONFLICT (line, phone) DO UPDATE SET "
    "scope = CASE WHEN opt_outs.scope = excluded.scope THEN opt_outs.scope ELSE 'all' END",
    [
        opt_outs.c.line,
        opt_outs.c.phone,
        opt_outs.c.scope,
        opt_outs.c.since,
        opt_outs.c.source,
        opt_outs.c.text_id,
    ],
)
_theirs = (consents.c.line == bindparam("of_line"), consents.c.phone == bindparam("of_phone"))
TAKE_BACK: dict[Scope, Executable] = {
    Scope.ALL: delete(consents).where(*_theirs),
    Scope.MARKETING: delete(consents).where(*_theirs, consents.c.purpose == Purpose.MARKETING.value),
    Scope.TRANSACTIONAL: delete(consents).where(*_theirs, consents.c.purpose == Purpose.TRANSACTIONAL.value),
}
FORGET = delete(consents).where(
    *_theirs, consents.c.purpose == bindparam("for_purpose"), consents.c.program == bindparam("of_program")
)
AGREE = insert(consents)
UNCONFIRMED = select(consents).where(
    *_theirs, consents.c.program == bindparam("of_program"), consents.c.is_confirmed.is_(False)
)
CONFIRM = (
    update(consents)
    .where(*_theirs, consents.c.purpose == bindparam("for_purpose"), consents.c.program == bindparam("of_program"))
    .values(is_confirmed=True, event_id=bindparam("event"))
)
REOPEN = delete(opt_outs).where(opt_outs.c.line == bindparam("of_line"), opt_outs.c.phone == bindparam("of_phone"))
_suppressed = (suppressions.c.line == bindparam("of_line"), suppressions.c.person == bindparam("of_person"))
LIFT = delete(suppressions).where(*_suppressed)
# Who is known to have opted out of one thing, and now of another, has opted out of all.
_more = "CASE WHEN suppressions.scope = excluded.scope THEN suppressions.scope ELSE 'all' END"
SUPPRESS = OnBoth(
    lambda insert: insert(suppressions).on_conflict_do_update(
        index_elements=["line", "person"], set_={"scope": text(_more)}
    )
)
SUPPRESSED_SINCE = select(suppressions.c.since).where(*_suppressed)
OPTED_OUT = select(opt_outs).where(opt_outs.c.line == bindparam("of_line"), opt_outs.c.phone == bindparam("of_phone"))
REOPENED_SINCE = (
    select(consent_events.c.id)
    .where(
        consent_events.c.line == bindparam("of_line"),
        consent_events.c.phone == bindparam("of_phone"),
        consent_events.c.kind == "reopened",
        consent_events.c.at > bindparam("moment", type_=UtcTime),
    )
    .limit(1)
)
