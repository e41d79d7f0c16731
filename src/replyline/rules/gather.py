"""The facts a text is judged by, read in the transaction that lets it leave."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, select

from replyline.conversations.delivery import Status
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.sets import among, tuples
from replyline.db.tables import contacts, conversations, opt_outs, texts
from replyline.phone_numbers import country_of
from replyline.plugins.line import Line
from replyline.rules.facts import Facts, Purpose
from replyline.rules.places import Known, place_of
from replyline.rules.rulebook import Rulebook

# No cap that we know of looks further back; a line's own may be as long.
LONGEST_CAP = timedelta(days=31)

Person = tuple[str, str]  # line, phone
Sent = dict[Person, list[datetime]]


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
        for row in conn.execute(ADVERTISED, tuples("people", people) | {"since": now - LONGEST_CAP}):
            sent[row.line, row.phone].append(row.sending_at)
    return sent


def facts_of(row: AnyRow, line: Line, book: Rulebook, sent: Sent) -> Facts:
    known = Known(zone=row.zone, state=row.state, postal_code=row.postal_code)
    return Facts(
        purpose=Purpose(row.purpose),
        has_opted_out=row.opted_out_since is not None,
        country=country_of(row.phone),
        allowed_countries=frozenset(line.countries),
        place=place_of(row.phone, known, book, line.timezone),
        book=book,
        own_hours=line.hours,
        own_caps=line.caps,
        holds_notices=line.holds_notices,
        follows_adad=line.follows_adad,
        marketing_sent=tuple(sent.get((row.line, row.phone), ())),
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
        contacts.c.zone,
        contacts.c.state,
        contacts.c.postal_code,
        opt_outs.c.since.label("opted_out_since"),
    )
    .join(conversations, conversations.c.id == texts.c.conversation_id)
    .join(contacts, contacts.c.id == conversations.c.contact_id)
    .outerjoin(opt_outs, and_(opt_outs.c.line == texts.c.line, opt_outs.c.phone == texts.c.phone))
    .where(texts.c.id.in_(bindparam("ids", expanding=True)))
    # A report that is just being written would be overwritten by what is decided on the row before it.
    .order_by(texts.c.id)
    .with_for_update(of=texts)
)
# What may have left counts; what we know never did does not.
_may_have_left = [Status.SENDING, Status.UNKNOWN, Status.SENT, Status.DELIVERED, Status.UNDELIVERED]
ADVERTISED = select(texts.c.line, texts.c.phone, texts.c.sending_at).where(
    among("people", texts.c.line, texts.c.phone),
    texts.c.purpose == Purpose.MARKETING.value,
    texts.c.sending_at > bindparam("since", type_=UtcTime),
    texts.c.status.in_([status.value for status in _may_have_left]),
)
