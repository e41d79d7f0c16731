"""Today's prices from Twilio's Pricing API: fetched, dated and kept. They are the account's own, without carrier fees."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, select

from replyline.clock import Clock
from replyline.costs.book import PriceBook, fetched
from replyline.costs.prices import ANY, What
from replyline.db import Db
from replyline.db.both import or_change
from replyline.db.tables import charge_days, fetched_prices
from replyline.log import get_log
from replyline.twilio.client import CountryPrices, SendError, TwilioClient
from replyline.work import Claimed, arm, later
from replyline.work.worker import backoff

log = get_log(__name__)

KIND = "costs_fetch"
EVERY = timedelta(days=1)
AFTER_START = timedelta(minutes=1)
LATELY = timedelta(days=92)  # countries that were texted since then are asked about


def begin(conn: Connection, now: datetime) -> None:
    """Have prices fetched from now on."""
    arm(conn, kind=KIND, key="", due=now + AFTER_START, now=now)


class FetchPrices:
    """Does the work row of kind `costs_fetch`: the prices of the countries that the line texts."""

    def __init__(
        self, db: Db, clock: Clock, twilio: TwilioClient, prices: PriceBook, *, countries: Sequence[str]
    ) -> None:
        self._db, self._clock, self._twilio, self._prices = db, clock, twilio, prices
        self._countries = countries

    async def __call__(self, job: Claimed) -> None:
        now = self._clock.now()
        try:
            count = await fetch(self._db, self._twilio, self._countries, now)
        except SendError as error:
            wait = max(min(backoff(job.attempts), EVERY), timedelta(minutes=5))
            log.warning("price_list_put_off", why=str(error), again_in=wait.total_seconds())
            await self._db.run(later, job, due=self._clock.now() + wait)
            return
        log.info("price_list_fetched", countries=count)
        self._prices.take(await self._db.run(fetched))
        await self._db.run(later, job, due=now + EVERY, keep_attempts=False)


async def fetch(db: Db, twilio: TwilioClient, countries: Sequence[str], now: datetime) -> int:
    """Fetch and keep the prices of these countries and of those texted lately; gives of how many there were any."""
    wanted = sorted({*countries, *await db.run(texted_since, (now - LATELY).date())})
    found = 0
    for country in wanted:
        prices = await twilio.prices_in(country)
        if prices is not None:
            await db.run(keep, country, prices, now.date())
            found += 1
    return found


def texted_since(conn: Connection, day: date) -> Sequence[str]:
    recent = select(charge_days.c.country).where(charge_days.c.period >= day.isoformat(), charge_days.c.country != "")
    return conn.execute(recent.distinct()).scalars().all()


def keep(conn: Connection, country: str, prices: CountryPrices, day: date) -> None:
    """Keep what one country costs. Which carrier a phone is with is not known: the dearest counts."""
    for what, amounts in ((What.SMS_OUT, prices.outbound), (What.SMS_IN, prices.inbound)):
        if amounts:
            keep_one(conn, what, country, max(amounts), prices.currency[:3], day)


def keep_one(conn: Connection, what: What, country: str, amount: Decimal, currency: str, day: date) -> None:
    row = {"what": what.value, "country": country, "sender": ANY, "since": day.isoformat()}
    known = conn.execute(select(fetched_prices).filter_by(what=what.value, country=country, sender=ANY)).all()
    newest = max(known, key=lambda each: each.since, default=None)
    if newest is not None and Decimal(newest.amount) == amount and newest.currency == currency:
        return  # as before: the day it was first seen stays
    KEEP(conn, row | {"amount": str(amount), "currency": currency})


KEEP = or_change(fetched_prices, ["what", "country", "sender", "since"], "amount", "currency")
