"""What `replyline doctor` says: how the database, the work, the texts in doubt, the senders and Twilio are, right now.

It reads and changes nothing, by indexes alone, so it may be asked while a thousand texts leave.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from replyline.alerts import Level
from replyline.app import twilio_of
from replyline.db import open_db
from replyline.db.clock import clock_of, following
from replyline.db.migrate import Migrations, check
from replyline.errors import ReplylineError
from replyline.settings import Settings
from replyline.twilio.client import SendError, TwilioClient
from replyline.watch.findings import Finding, examine, worst

__all__ = ["Finding", "Level", "ask_twilio", "examine", "look_at_everything", "worst"]


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
