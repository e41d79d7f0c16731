"""What nobody told us: Twilio is asked, at the start and every few minutes, what came in and how our texts ended.

A webhook that Twilio gave up on never comes again, and neither does a delivery report. The list of messages has both.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from replyline.alerts import tallies
from replyline.characters import storable
from replyline.clock import Clock
from replyline.conversations.text import InboundText, Picture
from replyline.costs.book import PriceBook
from replyline.costs.prices import PriceList
from replyline.db import Db
from replyline.inbound import backfill_rows as rows
from replyline.inbound.delivery_report import DeliveryReport, report
from replyline.inbound.receive import Arrival, Received, receive
from replyline.log import get_log
from replyline.phone_numbers import SenderKind, masked, sender_kind
from replyline.plugins.line import Line
from replyline.rules.keywords import NO_MORE, Words
from replyline.twilio.client import Message, SendError, TwilioClient
from replyline.work import Claimed, arm, later
from replyline.work.worker import backoff

log = get_log(__name__)

KIND = "backfill"
EVERY = timedelta(minutes=2)
AFTER_START = timedelta(seconds=5)  # Twilio's own second try comes first
SOON = timedelta(seconds=5)
# A webhook has 15 s, the fallback 15 s more, and clocks differ. What is younger may be on its way to us, with fields that
# the list does not have.
YOUNG = timedelta(seconds=90)
# Read again each time, should something enter the list late. It costs nothing but a longer page.
OVERLAP = timedelta(minutes=15)
RECENTLY = timedelta(days=30)  # an address that people wrote to since then is one of ours
ADDRESSES_LAST = timedelta(hours=1)  # before they are gathered again

# How texts of ours ended: asked once each text is this old, again after we were away, until it is a day old.
OLD_ENOUGH, TOO_OLD = timedelta(minutes=10), timedelta(days=1)
AWAY = timedelta(minutes=10)  # nobody looked for so long: delivery reports may have been missed
AT_ONCE, AT_MOST = 5, 20  # requests of one look, and open at the same time


def begin_line(conn: Connection, line: str, now: datetime) -> None:
    """Note when a line first answered: whatever comes from then on is found, though nobody looks for it yet."""
    rows.begin_line(conn, line, now)


def begin(conn: Connection, line: str, now: datetime) -> None:
    """Have a line's list looked at soon. One row for each line, so that of many processes one looks at a time."""
    begin_line(conn, line, now)
    arm(conn, kind=KIND, key=line, due=now + AFTER_START, now=now)


class Backfill:
    """Does the work rows of kind `backfill`: one look at what Twilio has for a line."""

    def __init__(
        self, *, db: Db, clock: Clock, line: Line, twilio: TwilioClient, number: str | None, service: str | None,
        words: Words = NO_MORE,
        secret: bytes = b"", prices: PriceBook | None = None,
    ) -> None:  # fmt: skip
        self._prices = prices or PriceBook()
        self._words, self._secret = words, secret
        self._db, self._clock, self._line, self._twilio = db, clock, line, twilio
        self._number, self._service = number, service
        self._addresses: list[str] = []
        self._gather_at: datetime | None = None

    async def __call__(self, job: Claimed) -> None:
        now = self._clock.now()
        away_until = await self._db.run(rows.begin_look, self._line.key, now, away=AWAY)
        try:
            addresses = await self._our_addresses(now)
            soonest = min([now + EVERY, *[await self._look_at(address, now) for address in addresses]])
            is_done = await self._settle(now, away_until)
        except SendError as error:
            wait = min(backoff(job.attempts), EVERY)  # each crash counts as a try too, and people wait
            log.warning("backfill_put_off", why=str(error), again_in=wait.total_seconds())
            await self._db.run(later, job, due=self._clock.now() + wait)
            return
        await self._db.run(rows.end_look, self._line.key, now)
        due = max(soonest, now + SOON) if is_done else now + SOON
        await self._db.run(later, job, due=due, keep_attempts=False)

    async def _our_addresses(self, now: datetime) -> list[str]:
        """What people may have written to: what the settings and the line name, and where they wrote lately."""
        if self._gather_at is None or now >= self._gather_at:
            known = set(await self._db.run(rows.written_to, self._line.key, since=now - RECENTLY))
            named = {*filter(None, (self._number, self._service)), *(each.address for each in self._line.senders)}
            services = {each for each in named if sender_kind(each) is SenderKind.MESSAGING_SERVICE}
            pools = [await self._numbers_of(each) for each in sorted(services)]
            known |= named.union(*(pool or () for pool in pools))
            self._addresses = sorted(each for each in known if sender_kind(each) in CAN_BE_TEXTED)
            self._gather_at = None if None in pools else now + ADDRESSES_LAST
        return self._addresses

    async def _numbers_of(self, service: str) -> Sequence[str] | None:
        """The numbers in a service's pool; none when Twilio does not tell just now, and is to be asked again."""
        try:
            return await self._twilio.pool_of(service)
        except SendError as error:
            # The numbers that people have written to are looked at all the same.
            log.warning("pool_unknown", service=service, why=str(error))
            return None

    async def _look_at(self, address: str, now: datetime) -> datetime:
        """Take in what came to one address and did not reach us, the oldest first. Gives when to look again."""
        since = await self._db.run(rows.since, self._line.key, address, now, overlap=OVERLAP, unnoticed=ADDRESSES_LAST)
        listed = [(each.created_at, each) for each in await self._twilio.received_at(address, since=since)]
        dated = [(at, each) for at, each in listed if at and each.sender]
        missing = await self._db.run(rows.missing, [each.sid for _, each in dated])
        lost = [(at, each) for at, each in dated if each.sid in missing]
        texts = [await self._text(each, now) for at, each in reversed(lost) if at <= now - YOUNG]
        given: Any = {"line": self._line, "words": self._words, "secret": self._secret, "prices": self._prices.now}
        arrivals = [Arrival(text=text, **given) for text in texts]
        results = await asyncio.gather(*(self._db.gather(receive, arrival) for arrival in arrivals))
        await self._db.run(rows.seen, self._line.key, address, now)
        self._tell(address, [(text, result) for text, result in zip(texts, results, strict=True)])
        return min((at + YOUNG for at, _ in lost if at > now - YOUNG), default=now + EVERY)

    async def _text(self, message: Message, now: datetime) -> InboundText:
        assert message.sender is not None
        assert message.created_at is not None
        attached = await self._twilio.media_of(message.sid) if message.media else []
        return InboundText(
            sid=message.sid,
            phone=message.sender,
            our_address=message.to,
            body=storable(message.body),
            pictures=tuple(Picture(url=url, content_type=content_type[:100]) for url, content_type in attached),
            segments=message.segments or 1,
            messaging_service_sid=message.messaging_service_sid,
            received_at=message.created_at,
            found_at=now,
        )

    def _tell(self, address: str, found: Sequence[tuple[InboundText, Received]]) -> None:
        new = [(text, result) for text, result in found if result is not Received.AGAIN]
        if not new:
            return
        oldest = max((text.noted_at - text.received_at).total_seconds() for text, _ in new)
        late = sum(result is Received.LATE for _, result in new)
        log.info("texts_backfilled", address=masked(address), count=len(new), late=late, oldest=oldest)
        if late:
            log.warning("texts_found_late", address=masked(address), count=late, oldest=oldest)

    async def _settle(self, now: datetime, away_until: datetime) -> bool:
        """Ask how some texts of ours ended of which we never heard. False when there are more."""
        window = {"oldest": now - TOO_OLD, "newest": now - OLD_ENOUGH}
        waiting = await self._db.run(rows.unheard_of, self._line.key, away_until=away_until, most=AT_MOST, **window)
        ended = 0
        for start in range(0, len(waiting), AT_ONCE):
            some = waiting[start : start + AT_ONCE]
            messages = await asyncio.gather(*(self._twilio.message(each.sid) for each in some))
            reports = [as_report(message, self._prices.now, self._clock.now()) for message in messages if message]
            results = await asyncio.gather(*(self._db.gather(report, each) for each in reports))
            await self._db.run(rows.looked, [each.id for each in some], now)
            ended += sum(results)
        if ended:
            await self._db.run(tallies.add, {"ends_found": ended}, self._clock.now())
            log.info("deliveries_found", count=ended)
        return len(waiting) < AT_MOST


def as_report(message: Message, prices: PriceList, now: datetime) -> DeliveryReport:
    return DeliveryReport(
        sid=message.sid,
        text_id=None,
        status=message.status,
        error_code=message.error_code,
        fields={},
        received_at=now,
        source="list",
        prices=prices,
    )


CAN_BE_TEXTED = {SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE, SenderKind.CHANNEL}
