"""What the database tells of how things are, in a sentence each, by indexes alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select

from replyline.alerts import Level
from replyline.conversations.delivery import Status
from replyline.db.columns import UtcTime
from replyline.db.tables import consent_pushes, senders, texts, twilio_deletions, work
from replyline.phone_numbers import masked
from replyline.watch.conditions import LONG_IN_DOUBT
from replyline.watch.facts import Due
from replyline.watch.words import span, texts_of

LATELY = timedelta(days=1)
LONG_UNTOLD = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at. Holds no phone number, body or secret."""

    about: str
    level: Level
    says: str  # one sentence


def examine(conn: Connection, now: datetime) -> list[Finding]:
    """Everything that the database tells."""
    return [
        *in_doubt(conn, now),
        *found_late(conn, now),
        *due(conn, now),
        *paused(conn, now),
        *untold(conn, now),
        *undeleted(conn, now),
    ]


def in_doubt(conn: Connection, now: datetime) -> Iterator[Finding]:
    count, since = conn.execute(IN_DOUBT).one()
    if not count:
        yield Finding(about="doubt", level=Level.OK, says="No text is in doubt.")
        return
    level = Level.WRONG if now - since > LONG_IN_DOUBT else Level.LOOK
    says = f"{texts_of(count)} UNKNOWN, the oldest for {span(now - since)}; Twilio's list is asked before anything is sent again."
    yield Finding(about="doubt", level=level, says=says)


def found_late(conn: Connection, now: datetime) -> Iterator[Finding]:
    count = conn.execute(FOUND, {"lately": now - LATELY}).scalar()
    if count:
        says = f"{texts_of(count)} found in Twilio's list within a day, because no webhook had brought them; why were we away?"
        yield Finding(about="backfill", level=Level.LOOK, says=says)


def due(conn: Connection, now: datetime) -> Iterator[Finding]:
    found = overdue(conn, now)
    if not found:
        yield Finding(about="work", level=Level.OK, says="Nothing is due that nobody does.")
    for each in found:
        says = f"{each.count} of kind {each.kind} due, the oldest for {span(each.wait)}."
        if each.is_long:
            says += " Does a worker run (replyline work, or serve without --no-worker)?"
        yield Finding(about="work", level=Level.WRONG if each.is_long else Level.OK, says=says)


def overdue(conn: Connection, now: datetime) -> tuple[Due, ...]:
    """Whether somebody does the work. What a worker holds is due when its lease ends, so it is not seen here."""
    rows = conn.execute(DUE, {"now": now})
    return tuple(Due(kind=row.kind, count=row.how_many, wait=now - row.since) for row in rows)


def paused(conn: Connection, now: datetime) -> Iterator[Finding]:
    for row in conn.execute(PAUSED, {"now": now}):
        says = f"{masked(row.address)} sends nothing for another {span(row.closed_until - now)}: {row.why}"
        yield Finding(about="sender", level=Level.LOOK, says=says)


def untold(conn: Connection, now: datetime) -> Iterator[Finding]:
    """What Twilio's Consent API has refused, or not taken for long. Our own list holds all the same."""
    for row in conn.execute(REFUSED_CONSENTS):
        says = (
            f"Twilio's Consent API refused {row.count} of what it was told ({row.error_code}: {row.why}); our own list "
            "holds all the same."
        )
        yield Finding(about="consent", level=Level.LOOK, says=says)
    count, since = conn.execute(UNTOLD).one()
    if count and now - since > LONG_UNTOLD:
        says = f"{count} opt-outs and opt-ins are still to be told to Twilio's Consent API, the oldest for {span(now - since)}."
        yield Finding(about="consent", level=Level.LOOK, says=says)


def undeleted(conn: Connection, now: datetime) -> Iterator[Finding]:
    count, since = conn.execute(UNDELETED).one()
    if count:
        says = (
            f"{count} messages of people who were forgotten are still to be deleted at Twilio, for {span(now - since)}."
        )
        level = Level.LOOK if now - since > LATELY else Level.OK
        yield Finding(about="erasure", level=level, says=says)


def worst(findings: Sequence[Finding]) -> Level:
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.WRONG, Level.LOOK) if level in levels), Level.OK)


_now = bindparam("now", type_=UtcTime)
IN_DOUBT = select(func.count(), func.min(texts.c.status_at)).where(texts.c.status == Status.UNKNOWN.value)
FOUND = select(func.count()).where(texts.c.found_at.is_not(None), texts.c.found_at > bindparam("lately", type_=UtcTime))
DUE = (
    select(work.c.kind, func.count().label("how_many"), func.min(work.c.due).label("since"))
    .where(work.c.due <= _now)
    .group_by(work.c.kind)
    .order_by(work.c.kind)
)
REFUSED_CONSENTS = (
    select(consent_pushes.c.error_code, consent_pushes.c.why, func.count().label("count"))
    .where(consent_pushes.c.refused_at.is_not(None))
    .group_by(consent_pushes.c.error_code, consent_pushes.c.why)
    .order_by(consent_pushes.c.error_code, consent_pushes.c.why)
)
UNTOLD = select(func.count(), func.min(consent_pushes.c.since)).where(consent_pushes.c.refused_at.is_(None))
UNDELETED = select(func.count(), func.min(twilio_deletions.c.asked_at)).where(twilio_deletions.c.gone_at.is_(None))
PAUSED = select(senders).where(senders.c.closed_until > _now).order_by(senders.c.address)
