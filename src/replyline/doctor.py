"""What `replyline doctor` says: how the database, the work, the texts in doubt, the senders and Twilio are, right now.

It reads and changes nothing, by indexes alone, so it may be asked while a thousand texts leave.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

from replyline.app import twilio_of
from replyline.conversations.delivery import Status
from replyline.db import open_db
from replyline.db.clock import clock_of, following
from replyline.db.columns import UtcTime
from replyline.db.migrate import Migrations, check
from replyline.db.tables import consent_pushes, senders, texts, twilio_deletions, work
from replyline.errors import ReplylineError
from replyline.phone_numbers import masked
from replyline.settings import Settings
from replyline.twilio.client import SendError, TwilioClient

# A doubt is settled within a minute when Twilio's list can be read (`reconcile.CERTAIN_AFTER`).
LONG_IN_DOUBT = timedelta(minutes=10)
# A turn that nobody took for so long: no worker runs, or there are too few.
LONG_DUE = timedelta(minutes=2)
LATELY = timedelta(days=1)
LONG_UNTOLD = timedelta(hours=1)


class Level(StrEnum):
    """How urgent something is."""

    OK = "ok"
    LOOK = "look"  # worth knowing; it mends itself, or can wait for the morning
    WRONG = "wrong"  # people get no answers, or wrong ones, until somebody does something


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at. Holds no phone number, body or secret."""

    about: str
    level: Level
    says: str  # one sentence


async def look_at_everything(settings: Settings, *, extra: Sequence[Migrations] = ()) -> list[Finding]:
    """The database first, with the tables of plugins (`extra`); without it there is nothing to say of what is in it."""
    db = None
    twilio = twilio_of(settings)
    try:
        await asyncio.to_thread(check, settings.database_url, extra=extra)
        db = open_db(settings.database_url)
        clock = clock_of(db)
        async with following(clock, db):
            found = [Finding(about="database", level=Level.OK, says="The database answers, and its tables are right.")]
            found += await db.run(examine, clock.now())
    except (ReplylineError, SQLAlchemyError) as error:
        says = str(error) if isinstance(error, ReplylineError) else f"The database: {type(error).__name__}."
        found = [Finding(about="database", level=Level.WRONG, says=says)]
    finally:
        if db is not None:
            await db.close()
    try:
        found.append(
            await ask_twilio(
                twilio, settings.twilio_phone_number, settings.twilio_messaging_service_sid, datetime.now(UTC)
            )
        )
    finally:
        await twilio.close()
    return found


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
    """Whether somebody does the work. What a worker holds is due when its lease ends, so it is not seen here."""
    rows = conn.execute(DUE, {"now": now}).all()
    if not rows:
        yield Finding(about="work", level=Level.OK, says="Nothing is due that nobody does.")
    for row in rows:
        wait = now - row.since
        # Texts may wait for hours for their sender's rate; that is what a campaign does.
        is_wrong = wait > LONG_DUE and row.kind != "send"
        says = f"{row.count} of kind {row.kind} due, the oldest for {span(wait)}."
        if is_wrong:
            says += " Does a worker run (replyline work, or serve without --no-worker)?"
        yield Finding(about="work", level=Level.WRONG if is_wrong else Level.OK, says=says)


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


async def ask_twilio(twilio: TwilioClient, number: str | None, service: str | None, now: datetime) -> Finding:
    """Whether Twilio's REST API takes our credentials: the list that doubts are settled by is read once."""
    try:
        if number:
            await twilio.received_at(number, since=now - timedelta(minutes=1))
        elif service:
            await twilio.pool_of(service)
        else:
            says = "Twilio was not asked: neither TWILIO_PHONE_NUMBER nor TWILIO_MESSAGING_SERVICE_SID is set."
            return Finding(about="twilio", level=Level.LOOK, says=says)
    except SendError as error:
        return Finding(
            about="twilio", level=Level.WRONG, says=f"Twilio's REST API does not answer as it should: {error}"
        )
    return Finding(about="twilio", level=Level.OK, says="Twilio's REST API answers, with our credentials.")


def worst(findings: Sequence[Finding]) -> Level:
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.WRONG, Level.LOOK) if level in levels), Level.OK)


def texts_of(count: int) -> str:
    return "1 text is" if count == 1 else f"{count} texts are"


def span(time: timedelta) -> str:
    """In the largest unit that is filled twice: 90 s, 3 min, 5 h."""
    seconds = int(time.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


_now = bindparam("now", type_=UtcTime)
IN_DOUBT = select(func.count(), func.min(texts.c.status_at)).where(texts.c.status == Status.UNKNOWN.value)
FOUND = select(func.count()).where(texts.c.found_at.is_not(None), texts.c.found_at > bindparam("lately", type_=UtcTime))
DUE = (
    select(work.c.kind, func.count().label("count"), func.min(work.c.due).label("since"))
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
