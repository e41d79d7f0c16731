"""Twilio's own list of who opted out is told what ours says, where the account has the Consent API (a pilot).

Ours stays the authority: whatever Twilio refuses, misses or forgets, the gate goes by our list.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from replyline.clock import Clock
from replyline.db import Db
from replyline.log import get_log
from replyline.outbound import consent_rows as rows
from replyline.phone_numbers import SenderKind, sender_kind
from replyline.plugins.line import Line
from replyline.rules import consent_news
from replyline.rules.consent_news import KIND
from replyline.twilio.client import ConsentAnswer, ConsentItem, Refused, SendError, Throttled, TwilioClient
from replyline.work import Claimed, finish, later
from replyline.work.worker import backoff

log = get_log(__name__)

BETWEEN = timedelta(milliseconds=600)  # at most 100 requests a minute
OF_OTHERS = timedelta(minutes=1)  # another line's row is left to its own worker
AFTER_REFUSAL = timedelta(hours=1)  # an account without the pilot, or wrong credentials: nothing that a minute mends
TRIES = 8  # of what Twilio could not take for a reason of its own
TWILIOS_OWN = "INTERNAL_SERVER_ERROR"
CODE_WORD = re.compile(r"[A-Z][A-Z_]{3,40}")
HAS_A_LIST = {SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE, SenderKind.MESSAGING_SERVICE}


def begin(conn: Connection, line: Line, now: datetime) -> None:
    """Tell Twilio of a line's consent from now on, or no longer, as the line says."""
    if not line.consent_at_twilio:
        rows.stop(conn, line.key)
        return
    rows.begin(conn, line.key)
    consent_news.tell_later(conn, line.key, now)


def senders_of(line: Line, number: str | None, service: str | None) -> list[str]:
    """Whose lists Twilio keeps for this line: each number's own, or the one of the service it is in."""
    named = [*(sender.lane for sender in line.senders), service or number]
    return [each for each in dict.fromkeys(named) if each and sender_kind(each) in HAS_A_LIST]


class TellConsent:
    """Does the work row of one line: one request of at most 25 items, then the next."""

    def __init__(self, db: Db, clock: Clock, line: Line, twilio: TwilioClient, senders: Sequence[str]) -> None:
        self._db, self._clock, self._line, self._twilio, self._senders = db, clock, line, twilio, senders

    async def __call__(self, job: Claimed) -> None:
        if job.key != self._line.key:
            await self._db.run(later, job, due=self._clock.now() + OF_OTHERS)
            return
        batch = await self._db.run(begin_batch, job.key, self._senders, self._clock.now())
        if batch.items:
            await self._tell(job, batch.items)
        elif batch.look_again is not None:
            await self._db.run(later, job, due=batch.look_again, keep_attempts=False)
        else:
            await self._db.run(finish, job, now=self._clock.now())

    async def _tell(self, job: Claimed, items: Sequence[ConsentItem]) -> None:
        try:
            answers = await self._twilio.tell_consents(items)
        except SendError as error:
            wait = wait_after(error, job.attempts)
            log.warning("consents_not_told", count=len(items), attempts=job.attempts, why=str(error))
            await self._db.run(put_off, job, until=self._clock.now() + wait)
            return
        await self._db.run(take_answers, job, items, answers, self._clock.now())


def begin_batch(conn: Connection, line: str, senders: Sequence[str], now: datetime) -> rows.Batch:
    batch = rows.next_batch(conn, line, senders, now)
    if batch.items:
        rows.wait_until(conn, line, now + BETWEEN)  # before the request: a crash after it counts as one
    return batch


def take_answers(
    conn: Connection, job: Claimed, items: Sequence[ConsentItem], answers: Sequence[ConsentAnswer], now: datetime
) -> None:
    """Write down what Twilio said of each item; what it did not mention is told again."""
    said = {answer.correlation_id: answer for answer in answers}
    tries = rows.tries_of(conn, [item.correlation_id for item in items])
    done: list[str] = []
    again: dict[str, datetime] = {}
    refused: dict[str, tuple[int, str]] = {}
    for item in items:
        answer = said.get(item.correlation_id)
        if answer is not None and answer.error_code == 0:
            done.append(item.correlation_id)
            continue
        why = words_of(answer)
        tried = tries.get(item.correlation_id, 0) + 1
        if (answer is None or TWILIOS_OWN in why) and tried < TRIES:
            again[item.correlation_id] = now + backoff(tried)
        else:
            refused[item.correlation_id] = (answer.error_code if answer else 0, why)
            log.warning("consent_refused_by_twilio", correlation=item.correlation_id, code=refused[item.correlation_id][0],
                        status=item.status, why=why)  # fmt: skip
    rows.settle(conn, done=done, again=again, refused=refused, now=now)
    later(conn, job, due=now + BETWEEN, keep_attempts=False)


def words_of(answer: ConsentAnswer | None) -> str:
    """The names of what is wrong, and nothing that might quote a number."""
    if answer is None:
        return "NOT_MENTIONED"
    return " ".join(word for message in answer.error_messages for word in CODE_WORD.findall(message)) or "UNNAMED"


def put_off(conn: Connection, job: Claimed, *, until: datetime) -> None:
    rows.wait_until(conn, job.key, until)
    later(conn, job, due=until)


def wait_after(error: SendError, attempts: int) -> timedelta:
    if isinstance(error, Refused):
        return AFTER_REFUSAL
    asked = timedelta(seconds=error.retry_after or 0) if isinstance(error, Throttled) else timedelta()
    return max(asked, backoff(attempts), BETWEEN)


__all__ = ["KIND", "TellConsent", "begin", "senders_of"]
