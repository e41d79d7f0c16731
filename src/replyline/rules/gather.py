"""The facts a text is judged by, read in the transaction that lets it leave."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, select

from replyline.conversations.delivery import MAY_HAVE_LEFT
from replyline.db.columns import AnyRow, from_micros, micros
from replyline.db.sets import SetStatement
from replyline.db.tables import consents, contacts, conversations, opt_outs, suppressions, texts
from replyline.hours import LONGEST_CAP
from replyline.phone_numbers import country_of, sender_kind
from replyline.plugins.line import Line
from replyline.plugins.programs import Tier
from replyline.rules import tiers
from replyline.rules.facts import Consent, Facts, Purpose, Scope
from replyline.rules.needs import need_of
from replyline.rules.person import person_of
from replyline.rules.places import Known, place_of
from replyline.rules.rulebook import Rulebook

Person = tuple[str, str]  # line, phone
Sent = dict[Person, list[datetime]]
Agreed = dict[Person, list[Consent]]
Suppressed = dict[Person, str]  # the scope, by person

UNASKED = {purpose.value for purpose in tiers.UNASKED}


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What is known of the people of a set of texts, beside the texts themselves."""

    sent: Sent
    agreed: Agreed
    suppressed: Suppressed


def history_of(conn: Connection, rows: Collection[AnyRow], now: datetime, secret: bytes) -> History:
    return History(
        sent=marketing_sent(conn, rows, now), agreed=consents_of(conn, rows), suppressed=suppressed(conn, rows, secret)
    )


def suppressed(conn: Connection, rows: Collection[AnyRow], secret: bytes) -> Suppressed:
    """Who of these people has opted out and had their number erased since: only a hash of it is known."""
    by_hash = {(row.line, person_of(row.phone, secret)): (row.line, row.phone) for row in rows}
    if not by_hash:
        return {}
    return {by_hash[line, person]: scope for line, person, scope in SUPPRESSED(conn, sorted(by_hash))}


def lock_people(conn: Connection, text_ids: Sequence[str]) -> None:
    """Hold the contacts of these texts: an opt-out that commits first is seen, and one that comes later waits for us.

    So does whoever judges another text to the same person, which would count the same advertisements as we do.
    """
    conn.execute(LOCK_PEOPLE, {"ids": list(text_ids)})


def texts_to_judge(conn: Connection, text_ids: Sequence[str]) -> dict[str, AnyRow]:
    """The texts with what is known of their people, by id."""
    return {row.id: row for row in conn.execute(TO_JUDGE, {"ids": list(text_ids)})}


def marketing_sent(conn: Connection, rows: Collection[AnyRow], now: datetime) -> Sent:
    """When the people whom these texts would advertise to were sent advertising lately."""
    people = sorted({(row.line, row.phone) for row in rows if row.purpose == Purpose.MARKETING.value})
    sent: Sent = defaultdict(list)
    if people:
        for line, phone, sending_at in ADVERTISED(conn, people, micros(now - LONGEST_CAP)):
            sent[line, phone].append(from_micros(sending_at))
    return sent


def consents_of(conn: Connection, rows: Collection[AnyRow]) -> Agreed:
    """What the people have agreed to whom these texts would reach unasked."""
    people = sorted({(row.line, row.phone) for row in rows if row.purpose in UNASKED})
    agreed: Agreed = defaultdict(list)
    if people:
        for line, phone, purpose, program, tier, is_confirmed, since, expires_at, event_id in AGREED(conn, people):
            agreed[line, phone].append(
                Consent(
                    purpose=Purpose(purpose),
                    program=program,
                    tier=Tier(tier),
                    is_confirmed=bool(is_confirmed),
                    since=from_micros(since),
                    expires_at=None if expires_at is None else from_micros(expires_at),
                    event_id=event_id,
                )
            )
    return agreed


def is_against(scope: str | None, purpose: str) -> bool:
    """Whether an opt-out of this scope covers a text of this purpose."""
    return scope is not None and scope in {Scope.ALL.value, purpose}


def facts_of(row: AnyRow, line: Line, book: Rulebook, history: History) -> Facts:
    known = Known(zone=row.zone, state=row.state, postal_code=row.postal_code)
    person = (row.line, row.phone)
    purpose, program = Purpose(row.purpose), row.program or ""
    sender = line.sender(row.our_address, row.messaging_service_sid)
    scopes = (row.opted_out_of, history.suppressed.get(person))
    return Facts(
        purpose=purpose,
        has_opted_out=any(is_against(scope, row.purpose) for scope in scopes),
        country=country_of(row.phone),
        allowed_countries=frozenset(line.countries),
        place=place_of(row.phone, known, book, line.timezone),
        book=book,
        own_hours=line.hours,
        own_caps=line.caps,
        holds_notices=line.holds_notices,
        follows_adad=line.follows_adad,
        program=program,
        need=need_of(line, purpose, program),
        consents=tuple(history.agreed.get(person, ())),
        marketing_sent=tuple(history.sent.get(person, ())),
        sender_kind=sender_kind(row.our_address) if row.our_address else None,
        registers=None if sender is None else sender.registers,
        contact=line.contact,
        line=line.key,
        phone=row.phone,
        body=row.body,
        has_pictures=bool(row.media),
    )


LOCK_PEOPLE = (
    select(contacts.c.id)
    .join(conversations, conversations.c.contact_id == contacts.c.id)
    .join(texts, texts.c.conversation_id == conversations.c.id)
    .where(texts.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(contacts.c.id)
    .with_for_update(key_share=True, of=contacts)
)
TO_JUDGE = (
    select(
        texts,
        contacts.c.id.label("contact_id"),
        contacts.c.introduced_at,
        contacts.c.zone,
        contacts.c.state,
        contacts.c.postal_code,
        opt_outs.c.scope.label("opted_out_of"),
    )
    .join(conversations, conversations.c.id == texts.c.conversation_id)
    .join(contacts, contacts.c.id == conversations.c.contact_id)
    .outerjoin(opt_outs, and_(opt_outs.c.line == texts.c.line, opt_outs.c.phone == texts.c.phone))
    .where(texts.c.id.in_(bindparam("ids", expanding=True)))
    # A report that is just being written would be overwritten by what is decided on the row before it.
    .order_by(texts.c.id)
    .with_for_update(of=texts)
)
AGREED = SetStatement(
    """
    WITH people(line, phone) AS ({rows})
    SELECT consents.line, consents.phone, purpose, program, tier, is_confirmed, since, expires_at, event_id
    FROM people JOIN consents ON consents.line = people.line AND consents.phone = people.phone
    """,
    [consents.c.line, consents.c.phone],
)
SUPPRESSED = SetStatement(
    """
    WITH people(line, person) AS ({rows})
    SELECT suppressions.line, suppressions.person, scope
    FROM people JOIN suppressions ON suppressions.line = people.line AND suppressions.person = people.person
    """,
    [suppressions.c.line, suppressions.c.person],
)
ADVERTISED = SetStatement(
    f"""
    WITH people(line, phone) AS ({{rows}})
    SELECT texts.line, texts.phone, sending_at
    FROM people JOIN texts ON texts.line = people.line AND texts.phone = people.phone
    WHERE purpose = 'marketing' AND sending_at > {{value}}
    AND status IN ({", ".join(f"'{status}'" for status in MAY_HAVE_LEFT)})
    """,  # noqa: S608 - our own words
    [texts.c.line, texts.c.phone],
)
