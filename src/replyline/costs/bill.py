"""Twilio's bill beside our ledger, day by day: what differs is looked up once more, and then written down as such.

A message's price has its carrier fees in it; the usage records have them in categories of their own, beside `sms` and
`mms` (twilio.md 3.3, 5.4). So the texts of a day are those categories together, and are compared with the sum of prices.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, bindparam, case, func, select

from replyline.clock import Clock
from replyline.costs import ledger, polling
from replyline.costs.book import PriceBook
from replyline.costs.charge import TEXTS, Charge, Kind, next_month
from replyline.costs.prices import micros
from replyline.db import Db
from replyline.db.both import or_change
from replyline.db.columns import UtcTime
from replyline.db.tables import charges, usage_days
from replyline.log import get_log
from replyline.phone_numbers import SenderKind, country_of, sender_kind
from replyline.twilio.client import SendError, TwilioClient, Usage
from replyline.work import Claimed, arm, later
from replyline.work.worker import backoff

log = get_log(__name__)

KIND = "costs_bill"
EVERY = timedelta(hours=6)
AFTER_START = timedelta(minutes=10)
LOOK_BACK = 40  # days that may still change: refunds, and what was billed late
WHOLE_ACCOUNT = ""
RENTED = frozenset({SenderKind.LONG_CODE, SenderKind.TOLL_FREE})

# What is compared, with the categories of usage records and the kinds of charges it is made of.
PARTS: Mapping[str, tuple[tuple[str, ...], frozenset[Kind]]] = {
    "texts": (("sms", "sms-messages-carrierfees", "mms", "mms-messages-carrierfees"), TEXTS),
    "failed": (("failed-message-processing-fee",), frozenset({Kind.FAILED})),
}
NUMBERS = "phonenumbers"
CATEGORIES = frozenset({*(name for names, _ in PARTS.values() for name in names), NUMBERS, "totalprice"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """A part of a day: what Twilio billed, and what our charges add up to, in micros."""

    billed: int
    ours: int
    awaited: int  # charges whose price Twilio may yet say
    unpriced: int  # those, and others that were asked for in vain
    currency: str

    @property
    def difference(self) -> int:
        return self.billed - self.ours


def begin(conn: Connection, now: datetime) -> None:
    """Have the bill compared from now on."""
    arm(conn, kind=KIND, key="", due=now + AFTER_START, now=now)


class CompareBill:
    """Does the work row of kind `costs_bill`."""

    def __init__(
        self, db: Db, clock: Clock, twilio: TwilioClient, *, line: str, numbers: Sequence[str], prices: PriceBook
    ) -> None:
        self._db, self._clock, self._twilio, self._prices = db, clock, twilio, prices
        self._line = line
        self._numbers = [each for each in numbers if sender_kind(each) in RENTED]

    async def __call__(self, job: Claimed) -> None:
        now = self._clock.now()
        await self._db.run(charge_rent, self._line, self._numbers, self._prices, now)
        yesterday = now.astimezone(UTC).date() - timedelta(days=1)
        try:
            await self._compare(yesterday - timedelta(days=LOOK_BACK), yesterday)
        except SendError as error:
            wait = max(min(backoff(job.attempts), EVERY), timedelta(minutes=5))
            log.warning("bill_put_off", why=str(error), again_in=wait.total_seconds())
            await self._db.run(later, job, due=self._clock.now() + wait)
            return
        await self._db.run(later, job, due=self._clock.now() + EVERY, keep_attempts=False)

    async def _compare(self, since: date, until: date) -> None:
        began = await self._db.run(first_day)
        if began is None or began > until:
            return
        since = max(since, began)  # what was billed before we were there is nobody's business here
        usage = [each for each in await self._twilio.usage(since, until) if each.category in CATEGORIES]
        await self._db.run(keep, usage, self._clock.now())
        for some in in_weeks(sorted({each.day for each in usage})):
            for day, part in await self._db.run(unsettled, some):
                await self._settle(day, part)
        for month in sorted({f"{each.day:%Y-%m}" for each in usage if each.category == NUMBERS}):
            await self._db.run(settle_rent, month, until)

    async def _settle(self, day: date, part: str) -> None:
        """Look once more at what a day's texts cost, and write down what still differs."""
        if part == "texts":
            start = datetime.combine(day, time(), UTC)
            async for page in self._twilio.all_since(start - polling.LONGEST_QUEUE, day + timedelta(days=1)):
                await polling.keep(self._db, page)
        difference = await self._db.run(adjust, part, day)
        log.info("bill_differs", day=day.isoformat(), part=part, micros=difference)


def in_weeks(days: Sequence[date]) -> Iterator[Sequence[date]]:
    for start in range(0, len(days), 7):
        yield days[start : start + 7]


def unsettled(conn: Connection, days: Sequence[date]) -> list[tuple[date, str]]:
    """The days and parts of the bill that the ledger does not add up to, or only by an adjustment that may yet go."""
    found = []
    for day in days:
        for part in PARTS:
            this = compared(conn, day, part)
            if this is None or this.awaited:
                continue
            if this.difference != adjustment(conn, part, day) or (
                this.difference and this.unpriced and part == "texts"
            ):
                found.append((day, part))
    return found


def first_day(conn: Connection) -> date | None:
    """The UTC day of the first charge of ours."""
    found: datetime | None = conn.execute(FIRST).scalar()
    return None if found is None else found.astimezone(UTC).date()


def keep(conn: Connection, usage: Sequence[Usage], now: datetime) -> None:
    """Keep usage records; those of the same day and category are replaced."""
    rows = [
        {
            "day": each.day.isoformat(),
            "category": each.category,
            "price_micros": micros(each.price),
            "currency": each.currency[:3],
            "count": each.count,
            "read_at": now,
        }
        for each in usage
    ]
    if rows:
        KEEP(conn, rows)


def compared(conn: Connection, day: date, part: str) -> Compared | None:
    """One part of a day; none when Twilio has said nothing of it."""
    names, kinds = PARTS[part]
    billed = conn.execute(BILLED, {"since": day.isoformat(), "until": day.isoformat(), "names": list(names)}).all()
    if not billed:
        return None
    currency = billed[0].currency
    start = datetime.combine(day, time(), UTC)
    given = {"start": start, "end": start + timedelta(days=1), "kinds": [each.value for each in kinds]}
    ours, awaited, unpriced = 0, 0, 0
    for row in conn.execute(OURS, given):
        awaited += int(row.awaited)
        unpriced += int(row.charges - row.priced)
        ours += int(row.micros or 0) if row.in_currency == currency else 0
    return Compared(
        billed=sum(int(row.micros) for row in billed if row.currency == currency),
        ours=ours,
        awaited=awaited,
        unpriced=unpriced,
        currency=currency,
    )


def adjustment(conn: Connection, part: str, day: date) -> int:
    """What the ledger has for a day beside its charges."""
    found = ledger.of_texts(conn, [name_of(part, day.isoformat())])
    return found[0].price_micros or 0 if found else 0


def adjust(conn: Connection, part: str, day: date) -> int:
    """Have the ledger's day add up to the bill's; gives what was missing, in micros."""
    found = compared(conn, day, part)
    if found is None:
        return 0
    at = datetime.combine(day, time(12), UTC)
    post_adjustment(conn, part, day.isoformat(), at, found.difference, found.currency)
    return found.difference


def post_adjustment(conn: Connection, part: str, period: str, at: datetime, difference: int, currency: str) -> None:
    name = name_of(part, period)
    new = Charge(
        of_id=name,
        kind=Kind.ADJUSTMENT,
        line=WHOLE_ACCOUNT,
        at=at,
        purpose=part,
        units=0,
        price_micros=difference,
        currency=currency,
        estimate_currency=currency,
    )
    before = ledger.of_texts(conn, [name])
    if before:
        ledger.put(conn, before, [replace(before[0], price_micros=difference, currency=currency)])
    elif difference:
        ledger.post(conn, new)


def name_of(part: str, period: str) -> str:
    return f"bill:{part}:{period}"


def charge_rent(conn: Connection, line: str, numbers: Sequence[str], prices: PriceBook, now: datetime) -> None:
    """What this month's numbers cost, at an estimate, once."""
    month = f"{now.astimezone(UTC):%Y-%m}"
    made = []
    for number in numbers:
        country = country_of(number)
        rent = prices.now.of_number(country, sender_kind(number), now.date())
        made.append(
            Charge(
                of_id=f"rent:{number}:{month}",
                kind=Kind.RENT,
                line=line,
                at=now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0),
                country=country or "",
                sender=number,
                estimate_micros=rent.micros,
                estimate_currency=rent.currency,
            )
        )
    ledger.charge(conn, made)


def settle_rent(conn: Connection, month: str, until: date) -> None:
    """Have a month's rent add up to what was billed of it so far; a month that goes on keeps its estimates."""
    first = date.fromisoformat(f"{month}-01")
    after = next_month(first)
    if after > until + timedelta(days=1):
        return
    given = {"since": first.isoformat(), "until": (after - timedelta(days=1)).isoformat(), "names": [NUMBERS]}
    billed = conn.execute(BILLED, given).all()
    currency = billed[0].currency
    start = datetime.combine(first, time(), UTC)
    days = {"start": start, "end": datetime.combine(after, time(), UTC), "kinds": [Kind.RENT.value]}
    ours = sum(int(row.micros or 0) for row in conn.execute(OURS, days) if row.in_currency == currency)
    difference = sum(int(row.micros) for row in billed if row.currency == currency) - ours
    post_adjustment(
        conn, "rent", month, datetime.combine(after, time(), UTC) - timedelta(hours=12), difference, currency
    )


KEEP = or_change(usage_days, ["day", "category"], "price_micros", "currency", "count", "read_at")
FIRST = select(charges.c.at).where(charges.c.kind != Kind.RENT.value).order_by(charges.c.at).limit(1)
_days = (usage_days.c.day >= bindparam("since"), usage_days.c.day <= bindparam("until"))
BILLED = (
    select(usage_days.c.currency, func.sum(usage_days.c.price_micros).label("micros"))
    .where(*_days, usage_days.c.category.in_(bindparam("names", expanding=True)))
    .group_by(usage_days.c.currency)
    .order_by(func.sum(usage_days.c.price_micros).desc())
)
_is_priced = charges.c.price_micros.is_not(None)
_cost = func.coalesce(charges.c.price_micros, charges.c.estimate_micros)
_in_currency = case((_is_priced, charges.c.currency), else_=charges.c.estimate_currency)
OURS = (
    select(
        _in_currency.label("in_currency"),
        func.sum(_cost).label("micros"),
        func.count(charges.c.look_at).label("awaited"),
        func.count().label("charges"),
        func.count(charges.c.price_micros).label("priced"),
    )
    .where(
        charges.c.at >= bindparam("start", type_=UtcTime),
        charges.c.at < bindparam("end", type_=UtcTime),
        charges.c.kind.in_(bindparam("kinds", expanding=True)),
    )
    .group_by(_in_currency)
)
