"""A text in doubt: we asked Twilio and never heard. Its list tells; until then nothing is sent again."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update

from replyline.alerts import tallies
from replyline.clock import Clock
from replyline.conversations.delivery import Status, taken_by_twilio
from replyline.costs import budgets, ledger
from replyline.costs.prices import PriceList
from replyline.db import CHANGE, Db, wake
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import conversations, texts
from replyline.log import get_log
from replyline.outbound.likeness import CLOCK_SKEW, could_be, is_like, is_same_body
from replyline.outbound.pace import lane_of_text
from replyline.phone_numbers import spellings
from replyline.twilio.client import Message, SendError, TwilioClient
from replyline.work import Claimed, finish, later

log = get_log(__name__)

FIRST_LOOK = timedelta(seconds=5)
# A request begins within 10 s of its claim and ends after 15 s at most (see `send.py`), and what Twilio took is in its
# list when it answers. A text that is not there so long after we began, and after Twilio was last away, never arrived.
CERTAIN_AFTER = timedelta(seconds=30)
# When the list cannot be read. The tries of its work row would be the wrong measure: crashes and earlier doubts count
# among them, and a text that had been in doubt for seconds waited for minutes.
LONGEST_WAIT = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(hours=10)  # Twilio's longest queue: whatever it had would have left by now
NOT_SENT = "it was not sent, and is queued again"


async def find_out(
    job: Claimed, text: AnyRow, db: Db, clock: Clock, twilio: TwilioClient, prices: PriceList
) -> str | None:
    """Look the text up in Twilio's list: adopt it, put it back in the queue when it is not there, or look again later.

    Gives what came of it; none: the list cannot be read.
    """
    now, began = clock.now(), text.sending_at or text.status_at
    age = (now - began).total_seconds()
    messages: list[Message] = []
    is_whole = True
    try:
        for number in sorted(spellings(text.phone)):
            listed = await twilio.sent_to(number, since=began - CLOCK_SKEW)
            messages += listed.messages
            is_whole &= listed.is_whole
    except SendError as error:
        log.warning("doubt_remains", text=text.id, why=str(error), age=age)
        await db.run(twilio_was_away, job, text, now=clock.now())
        return None
    candidates = [message for message in messages if could_be(message, text, began)]
    calm_since = max(began, text.twilio_away_at or began)
    is_certain = is_whole and now - calm_since >= CERTAIN_AFTER
    outcome = await db.run(resolve, job, text, candidates, is_certain=is_certain, prices=prices, now=clock.now())
    log.info("doubt_looked_into", text=text.id, outcome=outcome, age=age)
    return outcome


def resolve(
    conn: Connection,
    job: Claimed,
    text: AnyRow,
    candidates: Sequence[Message],
    *,
    is_certain: bool,
    prices: PriceList,
    now: datetime,
) -> str:
    """Decide by what Twilio has. A message that belongs to another text of ours is not this one."""
    # Locked, so that no report gives one of them the SID that another takes here.
    waiting = conn.execute(WITHOUT_SID, {"of_line": text.line, "to_phone": text.phone}).all()
    if all(each.id != text.id or each.status != Status.UNKNOWN.value for each in waiting):
        finish(conn, job, now=now)
        return "a callback came first"
    known = set(conn.execute(KNOWN, {"sids": [message.sid for message in candidates]}).scalars())
    unclaimed = list({message.sid: message for message in candidates if message.sid not in known}.values())
    rivals = [each for each in waiting if each.id != text.id and any(is_like(message, each) for message in unclaimed)]
    in_doubt = [each for each in rivals if each.status == Status.UNKNOWN.value and says_else(each, text)]
    if any(each.status == Status.SENDING.value for each in rivals) or 0 < len(unclaimed) <= len(in_doubt):
        # It may be that of another text, whose request has not ended yet; or not all of these texts have left, and they
        # are not the same, so that only a callback tells which of them did.
        return look_again(conn, job, text, now=now, due=now + pause(age_of(text, now)))
    if unclaimed:
        likest = min(unclaimed, key=lambda each: (each.body != text.body, each.created_at or now))
        status = taken_by_twilio(likest.status)
        conn.execute(
            ADOPT, {"text_id": text.id, "as": likest.sid, "to": status.value, "code": likest.error_code, "at": now}
        )
        ledger.charge_texts(conn, [text.id], prices)
        if status is Status.FAILED:
            ledger.fail(conn, {text.id: likest.error_code}, prices, now)
        finish(conn, job, now=now)
        wake(conn, CHANGE)
        return "it was sent"
    if not is_certain:
        return look_again(conn, job, text, now=now, due=now + pause(age_of(text, now)))
    conn.execute(PUT_BACK, {"text_id": text.id, "at": now})
    budgets.follow(conn, [text.id])
    later(conn, job, due=now, lane=lane_of_text(text), keep_attempts=False)
    wake(conn, CHANGE)
    return NOT_SENT


def says_else(other: AnyRow, text: AnyRow) -> bool:
    """Whether it matters which of two texts the person got."""
    return other.media != text.media or not is_same_body(other.body, text.body)


def pause(age: timedelta) -> timedelta:
    """How long to leave a list alone that could be read. What it has not told by then it will not tell soon."""
    return FIRST_LOOK if age < 2 * CERTAIN_AFTER else patience(age)


def twilio_was_away(conn: Connection, job: Claimed, text: AnyRow, *, now: datetime) -> None:
    """Look again later. What Twilio does not list soon after it was away may still be on its way into the list."""
    conn.execute(AWAY, {"text_id": text.id, "at": now})
    look_again(conn, job, text, now=now, due=now + patience(age_of(text, now)))


def age_of(text: AnyRow, now: datetime) -> timedelta:
    """For how long a text has been in doubt."""
    age: timedelta = now - (text.sending_at or text.status_at)
    return age


def patience(age: timedelta) -> timedelta:
    """How long to leave Twilio alone, by how long the text has been in doubt; spread, as many may be.

    A look that fails puts off the time from which a text that is not in the list is certain not to have been sent, so
    the next comes after that time, but for one early try that may find it there.
    """
    wait = FIRST_LOOK if age < CERTAIN_AFTER / 2 else min(max(CERTAIN_AFTER, age / 4), LONGEST_WAIT)
    return wait * random.uniform(1, 1.25)  # noqa: S311 - jitter, not a secret


def look_again(conn: Connection, job: Claimed, text: AnyRow, *, now: datetime, due: datetime) -> str:
    age = age_of(text, now)
    if age < GIVE_UP_AFTER:
        later(conn, job, due=due, keep_attempts=False)
        return "not in the list yet"
    log.error("doubt_given_up", text=text.id, age=age.total_seconds())
    conn.execute(GIVE_UP, {"text_id": text.id, "at": now})
    tallies.add(conn, {"doubts_given_up": 1}, now)
    budgets.follow(conn, [text.id], given_up=True)
    finish(conn, job, now=now)
    wake(conn, CHANGE)
    return "given up"


_in_doubt = (texts.c.id == bindparam("text_id"), texts.c.status == Status.UNKNOWN.value)
KNOWN = select(texts.c.sid).where(texts.c.sid.in_(bindparam("sids", expanding=True)))
WITHOUT_SID = (
    select(
        texts.c.id,
        texts.c.status,
        texts.c.our_address,
        texts.c.messaging_service_sid,
        texts.c.body,
        texts.c.media,
    )
    .join(conversations, conversations.c.id == texts.c.conversation_id)
    .where(
        conversations.c.line == bindparam("of_line"),
        conversations.c.phone == bindparam("to_phone"),
        texts.c.is_inbound.is_(False),
        texts.c.sid.is_(None),
        texts.c.status.in_([Status.QUEUED.value, Status.SENDING.value, Status.UNKNOWN.value]),
    )
    .order_by(texts.c.id)
    .with_for_update(of=texts)
)
ADOPT = (
    update(texts)
    .where(*_in_doubt)
    .values(
        sid=bindparam("as"),
        adopted_at=bindparam("at", type_=UtcTime),
        status=bindparam("to"),
        status_at=bindparam("at", type_=UtcTime),
        error_code=bindparam("code"),
        why=None,
    )
)
AWAY = update(texts).where(*_in_doubt).values(twilio_away_at=bindparam("at", type_=UtcTime))
PUT_BACK = (
    update(texts)
    .where(*_in_doubt)
    .values(
        status=Status.QUEUED.value,
        status_at=bindparam("at", type_=UtcTime),
        why="Twilio's list does not have it, so it was never sent.",
    )
)
GAVE_UP = "Twilio could not say for ten hours whether it has the text; it was not sent again."
GIVE_UP = (
    update(texts)
    .where(*_in_doubt)
    .values(status=Status.FAILED.value, status_at=bindparam("at", type_=UtcTime), why=GAVE_UP)
)
