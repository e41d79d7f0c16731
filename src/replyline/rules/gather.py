"""The facts a text is judged by, read in the transaction that lets it leave."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, bindparam, select

from replyline.db.columns import AnyRow
from replyline.db.tables import contacts, conversations, opt_outs, texts
from replyline.phone_numbers import country_of
from replyline.plugins.line import Line
from replyline.rules.facts import Facts, Purpose


def lock_people(conn: Connection, text_ids: Sequence[str]) -> None:
    """Hold the contacts of these texts: an opt-out that commits first is seen, and one that comes later waits for us."""
    conn.execute(LOCK_PEOPLE, {"ids": list(text_ids)})


def texts_to_judge(conn: Connection, text_ids: Sequence[str]) -> dict[str, AnyRow]:
    """The texts with what is known of their people, by id."""
    return {row.id: row for row in conn.execute(TO_JUDGE, {"ids": list(text_ids)})}


def facts_of(row: AnyRow, line: Line) -> Facts:
    return Facts(
        purpose=Purpose(row.purpose),
        has_opted_out=row.opted_out_since is not None,
        country=country_of(row.phone),
        allowed_countries=frozenset(line.countries),
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
    .with_for_update(read=True, of=contacts)
)
TO_JUDGE = (
    select(texts, opt_outs.c.since.label("opted_out_since"))
    .outerjoin(opt_outs, and_(opt_outs.c.line == texts.c.line, opt_outs.c.phone == texts.c.phone))
    .where(texts.c.id.in_(bindparam("ids", expanding=True)))
)
