"""A text in doubt: we asked Twilio and never heard. Its list tells; until then nothing is sent again."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update

from replyline.clock import Clock
from replyline.conversations.delivery import Status, taken_by_twilio
from replyline.db import CHANGE, Db, wake
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import texts
from replyline.log import get_log
from replyline.twilio.client import Message, SendError, TwilioClient
from replyline.work import Claimed, finish, later
from replyline.work.worker import backoff

log = get_log(__name__)

FIRST_LOOK = timedelta(seconds=5)
# A request ends after 15 s at most, and what Twilio took is in its list when it answers. A text that is not there so
# long after we began to send it never arrived.
CERTAIN_AFTER = timedelta(seconds=30)
GIVE_UP_AFTER = timedelta(hours=10)  # Twilio's longest queue: whatever it had would have left by now
CLOCK_SKEW = timedelta(minutes=2)  # between Twilio's clock and ours; its times have whole seconds besides


async def find_out(job: Claimed, text: AnyRow, db: Db, clock: Clock, twilio: TwilioClient) -> None:
    """Look the text up in Twilio's list: adopt it, put it back in the queue when it is not there, or look again later."""
    now, began = clock.now(), text.sending_at or text.status_at
    try:
        messages = await twilio.sent_to(text.phone, since=began - CLOCK_SKEW)
    except SendError as error:
        log.warning("doubt_remains", text=text.id, why=str(error), age=(now - began).total_seconds())
        await db.run(look_again, job, text.id, now=now, due=now + backoff(job.attempts), give_up=began + GIVE_UP_AFTER)
        return
    candidates = [message for message in messages if could_be(message, text, began)]
    outcome = await db.run(resolve, job, text.id, candidates, is_certain=now - began >= CERTAIN_AFTER, now=now)
    log.info("doubt_looked_into", text=text.id, outcome=outcome, age=(now - began).total_seconds())


def could_be(message: Message, text: AnyRow, began: datetime) -> bool:
    """Whether a message of Twilio's may be this text: same people, same words, made since we began to send it."""
    if message.direction == "inbound" or message.body != text.body or message.created_at < began - CLOCK_SKEW:
        return False
    return message.sender in {None, text.our_address} or text.messaging_service_sid is not None


def resolve(
    conn: Connection, job: Claimed, text_id: str, candidates: list[Message], *, is_certain: bool, now: datetime
) -> str:
    """Decide by what Twilio has. A message that belongs to another text of ours is not this one."""
    known = set(conn.execute(KNOWN, {"sids": [message.sid for message in candidates]}).scalars())
    unclaimed = [message for message in candidates if message.sid not in known]
    wake(conn, CHANGE)
    if unclaimed:
        oldest = min(unclaimed, key=lambda message: message.created_at)
        conn.execute(
            ADOPT, {"text_id": text_id, "as": oldest.sid, "to": taken_by_twilio(oldest.status).value, "at": now}
        )
        finish(conn, job, now=now)
        return "it was sent"
    if not is_certain:
        later(conn, job, due=now + FIRST_LOOK)
        return "not in the list yet"
    conn.execute(PUT_BACK, {"text_id": text_id, "at": now})
    later(conn, job, due=now)
    return "it was not sent, and is queued again"


def look_again(
    conn: Connection, job: Claimed, text_id: str, *, now: datetime, due: datetime, give_up: datetime
) -> None:
    if now >= give_up:
        log.error("doubt_given_up", text=text_id)
        conn.execute(GIVE_UP, {"text_id": text_id, "at": now})
        finish(conn, job, now=now)
    else:
        later(conn, job, due=due)


_in_doubt = (texts.c.id == bindparam("text_id"), texts.c.status == Status.UNKNOWN.value)
KNOWN = select(texts.c.sid).where(texts.c.sid.in_(bindparam("sids", expanding=True)))
ADOPT = (
    update(texts)
    .where(*_in_doubt)
    .values(sid=bindparam("as"), status=bindparam("to"), status_at=bindparam("at", type_=UtcTime), why=None)
)
PUT_BACK = (
    update(texts)
    .where(*_in_doubt)
    .values(
        status=Status.QUEUED.value,
        status_at=bindparam("at", type_=UtcTime),
        why="Twilio's list does not have it, so it was never sent.",
    )
)
GIVE_UP = (
    update(texts)
    .where(*_in_doubt)
    .values(
        status=Status.FAILED.value,
        status_at=bindparam("at", type_=UtcTime),
        why="Twilio could not be asked for ten hours whether it has the text; it was not sent again.",
    )
)
