"""A text leaves: claimed and judged in one transaction, then sent, then written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, String, and_, bindparam, case, or_, select, update

from replyline.clock import Clock
from replyline.conversations.delivery import Status, taken_by_twilio
from replyline.costs import budgets, ledger
from replyline.costs.book import PriceBook
from replyline.costs.charge import Charge, of_text
from replyline.db import CHANGE, Db, wake
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import texts
from replyline.log import get_log
from replyline.outbound import reconcile
from replyline.outbound.claim import Departure, Departures, Doubt, Leave, size_of
from replyline.outbound.pace import lane_of_text
from replyline.outbound.picture_links import PictureLinks
from replyline.outbound.senders import Counted, counted, give_back
from replyline.outbound.slow_down import SlowDown, of_account, of_sender, slow_down
from replyline.phone_numbers import SenderKind, masked, sender_kind
from replyline.plugins.line import Line
from replyline.rules import consent
from replyline.rules.rulebook import Rulebook
from replyline.twilio.client import InDoubt, Message, Outgoing, Refused, Throttled, TooLate, TwilioClient, Unreachable
from replyline.twilio.errors import Action, Retry, meaning_of
from replyline.work import Claimed, Place, finish_many, held, later, later_many
from replyline.work.worker import backoff

log = get_log(__name__)

# A request that has not left so long after its claim does not leave: it has to be over, 15 s later at most, before others
# may take the text for one that never arrived (`reconcile.CERTAIN_AFTER`).
LEAVES_WITHIN = timedelta(seconds=10)

LONGEST_VALIDITY = 36_000  # what Twilio takes, in seconds; its own queue is no longer


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What became of one request to Twilio."""

    job: Claimed
    text: AnyRow
    status: Status
    now: datetime
    sid: str | None = None
    error_code: int | None = None
    why: str | None = None
    try_at: datetime | None = None  # none: the work is done
    slow_down: SlowDown | None = None  # Twilio asked for it
    charge: Charge | None = None  # what it costs, once Twilio has it
    is_reserved: bool = False  # a budget has to know
    counted: Counted | None = None  # against its brand's day


class Send:
    """Does the work rows of kind `send`: one text leaves, or is found out about. It is their gate too."""

    def __init__(
        self,
        *,
        db: Db,
        clock: Clock,
        line: Line,
        book: Rulebook,
        twilio: TwilioClient,
        status_url: str,
        links: PictureLinks,
        secret: bytes,
        prices: PriceBook | None = None,
    ) -> None:
        self._db, self._clock, self._twilio = db, clock, twilio
        self._prices = prices or PriceBook()
        self._status_url, self._links = status_url, links
        self._departures = Departures(line, book, secret, self._prices)

    def open(self, conn: Connection, places: Sequence[Place], now: datetime) -> Departure:
        return self._departures.open(conn, places, now)

    async def __call__(self, job: Claimed) -> None:
        begun = job.brought or await self._db.run(self._departures.begin_alone, job, self._clock.now())
        if isinstance(begun, Doubt):
            outcome = await reconcile.find_out(job, begun.text, self._db, self._clock, self._twilio, self._prices.now)
            # Apart from what settles it: a claim takes senders' rows before texts, and that takes texts first.
            if outcome == reconcile.NOT_SENT and (taken := self._counted(begun.text)):
                await self._db.run(give_back, [taken])
        elif isinstance(begun, Leave):
            sent = await self._send(job, begun)
            if begun.is_reserved or begun.counted:
                sent = replace(sent, is_reserved=begun.is_reserved, counted=begun.counted)
            await self._db.gather(record, sent)

    async def _send(self, job: Claimed, leave: Leave) -> Sent:
        text = leave.text
        try:
            message = await self._twilio.create(
                self._outgoing(text, leave.body), in_time=lambda: leave.claimed.elapsed(self._clock) < LEAVES_WITHIN
            )
        except TooLate as error:  # this process or its machine stood still, and others may have gone on
            return self._back(job, text, str(error), self._clock.now())
        except Unreachable as error:
            return self._back(job, text, str(error), self._clock.now() + backoff(job.attempts))
        except Throttled as error:
            return self._slowed(job, text, of_account(error.retry_after))
        except Refused as error:
            return self._refused(job, text, error)
        except InDoubt as error:
            log.warning("text_in_doubt", text=text.id, why=str(error))
            now = self._clock.now()
            due = now + reconcile.FIRST_LOOK
            return Sent(job=job, text=text, status=Status.UNKNOWN, now=now, why=str(error), try_at=due)
        return self._sent(job, leave, message)

    def _counted(self, text: AnyRow) -> Counted | None:
        """What its claim counted against the brand's day."""
        pace = self._departures.pace(lane_of_text(text))
        return counted(pace, size_of(text, text.segments), text.sending_at or text.status_at)

    def _outgoing(self, text: AnyRow, body: str) -> Outgoing:
        validity = None
        if text.expires_at is not None:
            left = int((text.expires_at - self._clock.now()).total_seconds())
            validity = min(max(left, 10), LONGEST_VALIDITY)
        return Outgoing(
            to=text.phone,
            sender=None if sender_kind(text.our_address) is SenderKind.MESSAGING_SERVICE else text.our_address,
            messaging_service_sid=text.messaging_service_sid,
            body=body,
            media_urls=[self._address(each) for each in text.media or []],
            status_callback=f"{self._status_url}?text={text.id}",
            validity_seconds=validity,
        )

    def _address(self, picture: Mapping[str, str]) -> str:
        """Where Twilio finds a picture. A link to one of ours is made anew for each try, so that it lasts."""
        return picture.get("url") or self._links.link(picture["media"], self._clock.now())

    def _sent(self, job: Claimed, leave: Leave, message: Message) -> Sent:
        text = leave.text
        log.info("text_sent", text=text.id, sid=message.sid, to=masked(text.phone), segments=leave.segments)
        status = taken_by_twilio(message.status)
        now = self._clock.now()
        charge = of_text(ledger.carried(text, at=now, segments=leave.segments), self._prices.now)
        return Sent(job=job, text=text, status=status, now=now, sid=message.sid, charge=charge)

    def _refused(self, job: Claimed, text: AnyRow, error: Refused) -> Sent:
        """Twilio's no: final, or one that somebody can mend while the text waits."""
        meaning = meaning_of(error.code or 0, http_status=error.status)
        log.warning(
            "text_refused_by_twilio", text=text.id, code=error.code, to=masked(text.phone), action=meaning.action
        )
        now = self._clock.now()
        if asked := of_sender(error.code, self._departures.pace(lane_of_text(text)), now, left_at=now):
            return self._slowed(job, text, asked, error.code)
        if error.status in {401, 403} or meaning.retryable is not Retry.NO or meaning.action is Action.ALERT_OPERATOR:
            return self._back(
                job, text, str(error), now + max(backoff(job.attempts), timedelta(seconds=30)), error.code
            )
        return Sent(job=job, text=text, status=Status.FAILED, now=now, error_code=error.code, why=meaning.meaning)

    def _slowed(self, job: Claimed, text: AnyRow, slow_down: SlowDown, code: int | None = None) -> Sent:
        """Not sent, because of others: it stands where it stood, and the sender goes more slowly."""
        return replace(self._back(job, text, slow_down.why, job.since, code), slow_down=slow_down)

    def _back(self, job: Claimed, text: AnyRow, why: str, due: datetime, code: int | None = None) -> Sent:
        """Known not sent: it waits in our queue, and is judged again when it leaves."""
        log.warning("text_put_back", text=text.id, why=why)
        return Sent(
            job=job, text=text, status=Status.QUEUED, now=self._clock.now(), why=why, try_at=due, error_code=code
        )


def record(conn: Connection, results: Sequence[Sent]) -> list[None]:
    """Write down what Twilio said. A status report that came first is not undone.

    What Twilio has is a fact, lease or no lease. All else needs the lease: whoever has it now may be sending.
    """
    still = held(conn, [each.job for each in results])
    for asked in {each.slow_down for each in results if each.slow_down}:
        slow_down(conn, asked, results[0].now)
    ours = [each for each in results if (each.job.kind, each.job.key) in still]
    give_back(conn, [each.counted for each in ours if each.counted and never_left(each)])
    facts = [each for each in results if each.sid is not None or (each.job.kind, each.job.key) in still]
    if facts:
        conn.execute(RECORD, [recorded(each) for each in sorted(facts, key=lambda each: each.text.id)])
    ledger.charge(conn, [each.charge for each in results if each.charge])
    for each in results:
        if each.error_code == consent.HELD_BY_TWILIO:
            whose = consent.Whose(line=each.text.line, phone=each.text.phone)
            consent.opt_out(conn, whose, now=each.now, source="carrier", text_id=each.text.id)
    report_lost(conn, [each for each in results if (each.job.kind, each.job.key) not in still])
    finish_many(conn, [each.job for each in ours if each.try_at is None], now=results[0].now)
    put_off(conn, [each for each in ours if each.try_at is not None])
    # Last, as in a claim: whoever holds a budget waits for nothing more.
    budgets.follow(conn, [each.text.id for each in results if each.is_reserved and each.status is not Status.UNKNOWN])
    wake(conn, CHANGE)
    return [None] * len(results)


def never_left(each: Sent) -> bool:
    return each.sid is None and each.status is not Status.UNKNOWN


def report_lost(conn: Connection, lost: Sequence[Sent]) -> None:
    """Say whose work was taken over meanwhile, and loudly when that has cost a second text."""
    for each in lost:
        log.warning("lease_lost", kind=each.job.kind, key=each.job.key)
        if each.sid is not None:
            kept = conn.execute(KEPT, {"text_id": each.text.id}).one()
            if kept.sid != each.sid and kept.adopted_at is None:  # one found by likeness is left to its callback
                log.error("text_sent_twice", text=each.text.id, sid=kept.sid, other=each.sid)


def put_off(conn: Connection, sends: Sequence[Sent]) -> None:
    """What was not sent stands in line again; what is in doubt is not in line."""
    in_line = {}
    for each in sends:
        assert each.try_at is not None
        if each.status is Status.QUEUED:
            in_line[replace(each.job, lane=lane_of_text(each.text))] = each
        else:
            later(conn, each.job, due=each.try_at)
    slowed = {job: each.job.since for job, each in in_line.items() if each.slow_down}
    later_many(conn, slowed, keep_attempts=False)
    later_many(conn, {job: each.try_at for job, each in in_line.items() if job not in slowed and each.try_at})


def recorded(each: Sent) -> dict[str, Any]:
    return {
        "text_id": each.text.id,
        "to": each.status.value,
        "at": each.now,
        "as": each.sid,
        "code": each.error_code,
        "because": each.why,
    }


# Not `in_`, which SQLAlchemy refuses for several rows at once.
# One that waits again although Twilio has it was taken for lost by others; it must not leave once more.
_is_ours_to_say = or_(
    texts.c.status == Status.SENDING.value,
    texts.c.status == Status.UNKNOWN.value,
    and_(texts.c.status == Status.QUEUED.value, bindparam("as", type_=String).is_not(None)),
)

KEPT = select(texts.c.sid, texts.c.adopted_at).where(texts.c.id == bindparam("text_id"))
RECORD = (
    update(texts)
    .where(texts.c.id == bindparam("text_id"))
    .values(
        sid=case((texts.c.sid.is_(None), bindparam("as", type_=String)), else_=texts.c.sid),
        status=case((_is_ours_to_say, bindparam("to")), else_=texts.c.status),
        status_at=case((_is_ours_to_say, bindparam("at", type_=UtcTime)), else_=texts.c.status_at),
        error_code=case((_is_ours_to_say, bindparam("code")), else_=texts.c.error_code),
        why=case((_is_ours_to_say, bindparam("because")), else_=texts.c.why),
    )
)
