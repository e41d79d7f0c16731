"""What the simulated account is billed: a price for each message, seen some time later, and usage records by day."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from replyline.simulator.account import Account, Direction, Message, Number, Status
from replyline.simulator.answers import Json

BILLED = frozenset({Status.SENT, Status.DELIVERED, Status.UNDELIVERED, Status.RECEIVED})
FREE_FAILURES = frozenset({30002, 30008, 30036, 21408})  # of those the simulator knows; twilio.md 3.3


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """What things cost in this account. Outbound texts cost what the phone's carrier takes besides."""

    sms: Decimal = Decimal("0.0083")  # a segment, either way
    mms_out: Decimal = Decimal("0.0220")
    mms_in: Decimal = Decimal("0.0165")
    carrier_fee: Callable[[str], Decimal] = lambda _: Decimal("0.0040")  # by the phone's number
    mms_carrier_fee: Decimal = Decimal("0.0100")
    failed: Decimal = Decimal("0.001")
    rent: Decimal = Decimal("1.15")  # of a number, each month
    currency: str = "USD"
    price_after: Callable[[Message], float] = lambda _: 60.0  # seconds until a message's price is there
    countries: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict
    )  # what the Pricing API says: sms_out, sms_in


class Billing:
    """The account's bill, worked out from its messages. Without a tariff nothing is billed and no price ever comes."""

    def __init__(self, account: Account, tariff: Callable[[], Tariff | None]) -> None:
        self._account, self._tariff = account, tariff

    def price_of(self, message: Message) -> str | None:
        """As the message shows it: carrier fees included, negative, and none until it is there."""
        tariff = self._tariff()
        if tariff is None or message.status not in BILLED:
            return None
        there = billed_at(message) + timedelta(seconds=tariff.price_after(message))
        if self._account.clock.now() < there:
            return None
        return f"-{sum(lines_of(message, tariff).values(), Decimal()):.5f}"

    @property
    def currency(self) -> str:
        tariff = self._tariff()
        return tariff.currency if tariff else "USD"

    def usage(self, since: date, until: date) -> Iterator[Json]:
        """The usage records of each day, by category."""
        sums = self._sums()
        for day in sorted({day for day, _ in sums if since <= day <= until}, reverse=True):
            total = Decimal()
            for category in CATEGORIES:
                price = sums.get((day, category), Decimal())
                total += price if category in WHOLE else 0
                yield self._record(day, category, price)
            yield self._record(day, "totalprice", total)

    def total(self, since: date, until: date) -> Decimal:
        """The bill of some days."""
        return sum(
            (price for (day, category), price in self._sums().items() if since <= day <= until and category in WHOLE),
            Decimal(),
        )

    def country_json(self, iso: str) -> Json | None:
        tariff = self._tariff()
        if tariff is None or iso not in tariff.countries:
            return None
        said = tariff.countries[iso]
        price = [{"number_type": "mobile", "base_price": said["sms_out"], "current_price": said["sms_out"]}]
        came = [{"number_type": "local", "base_price": said["sms_in"], "current_price": said["sms_in"]}]
        return {
            "country": iso,
            "iso_country": iso,
            "price_unit": tariff.currency,
            "outbound_sms_prices": [{"carrier": "any", "mcc": "000", "mnc": "00", "prices": price}],
            "inbound_sms_prices": came,
            "url": f"https://pricing.twilio.com/v1/Messaging/Countries/{iso}",
        }

    def _record(self, day: date, category: str, price: Decimal) -> Json:
        return {
            "account_sid": self._account.sid,
            "api_version": "2010-04-01",
            "as_of": self._account.clock.now().isoformat(),
            "category": category,
            "count": "0",
            "count_unit": "",
            "description": category,
            "end_date": day.isoformat(),
            "price": f"{price:.5f}",
            "price_unit": self.currency.lower(),
            "start_date": day.isoformat(),
            "subresource_uris": {},
            "uri": f"/2010-04-01/Accounts/{self._account.sid}/Usage/Records/Daily.json?Category={category}",
            "usage": "0",
            "usage_unit": "",
        }

    def _sums(self) -> dict[tuple[date, str], Decimal]:
        tariff = self._tariff()
        sums: dict[tuple[date, str], Decimal] = defaultdict(Decimal)
        if tariff is None:
            return sums
        for message in self._account.messages.values():
            for category, price in lines_of(message, tariff).items():
                sums[billed_at(message).astimezone(UTC).date(), category] += price
                if category in PARTS:
                    sums[billed_at(message).astimezone(UTC).date(), PARTS[category]] += price
        for number in self._account.numbers.values():
            for day in rent_days(number, self._account.clock.now()):
                sums[day, "phonenumbers"] += tariff.rent
        return sums


# A category and the one it is part of. Carrier fees stand beside `sms` and `mms`, not in them.
PARTS = {"sms-outbound": "sms", "sms-inbound": "sms", "mms-outbound": "mms", "mms-inbound": "mms"}
WHOLE = (
    "sms",
    "sms-messages-carrierfees",
    "mms",
    "mms-messages-carrierfees",
    "failed-message-processing-fee",
    "phonenumbers",
)
CATEGORIES = (*WHOLE, *PARTS)


def billed_at(message: Message) -> datetime:
    return message.sent_at or message.created_at


def lines_of(message: Message, tariff: Tariff) -> dict[str, Decimal]:
    """What a message costs, by category."""
    if message.is_refunded:
        return {}
    if message.status is Status.FAILED:
        return {} if message.error_code in FREE_FAILURES else {"failed-message-processing-fee": tariff.failed}
    if message.status not in BILLED:
        return {}
    came = message.direction is Direction.INBOUND
    if message.media:
        if came:
            return {"mms-inbound": tariff.mms_in}
        return {"mms-outbound": tariff.mms_out, "mms-messages-carrierfees": tariff.mms_carrier_fee}
    if came:
        return {"sms-inbound": tariff.sms * message.segments}
    fee = tariff.carrier_fee(message.to) * message.segments
    return {"sms-outbound": tariff.sms * message.segments, "sms-messages-carrierfees": fee}


def rent_days(number: Number, now: datetime) -> Iterator[date]:
    """The day a number was bought, and that day of each month since."""
    at = number.created_at.astimezone(UTC).date()
    while at <= now.astimezone(UTC).date():
        yield at
        later = (at.replace(day=1) + timedelta(days=32)).replace(day=1)
        at = later.replace(day=min(number.created_at.day, 28))


def usage_page(records: list[Json], path: str, query: Mapping[str, str]) -> dict[str, Any]:
    """All of it in one page."""
    return {
        "usage_records": records,
        "page": 0,
        "page_size": max(len(records), 50),
        "start": 0,
        "end": max(len(records) - 1, 0),
        "uri": path,
        "first_page_uri": path,
        "next_page_uri": None,
        "previous_page_uri": None,
    }
