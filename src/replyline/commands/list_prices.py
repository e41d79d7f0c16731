"""What Twilio asks for a segment, by the list of prices that ships with Replyline."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from phonenumbers import SUPPORTED_REGIONS

from replyline.costs.prices import PriceList, What, read_prices
from replyline.errors import ReplylineError
from replyline.phone_numbers import SenderKind, country_of, parse_e164
from replyline.rules.rulebook import read_rulebook


class NoSuchCountry(ReplylineError):
    """Not a country's code or name, and not a phone number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListPrice:
    """US dollars for one segment sent to a country, before discounts and without carriers' fees."""

    country: str
    name: str
    usd: Decimal | None  # none: unknown, which is not nothing
    as_of: str | None  # the day of the list it stands in


def list_price(where: str) -> ListPrice:
    """By a country's two letters or its name, or by a phone number with its +."""
    if where.startswith("+"):
        country = country_of(parse_e164(where))
        if country is None:
            raise NoSuchCountry(f"No one country is known for {where}; name the country.")
        return by_country().get(country) or unknown(country)
    sought = where.strip().casefold()
    for price in by_country().values():
        if sought in {price.country.casefold(), price.name.casefold()}:
            return price
    if sought.upper() in SUPPORTED_REGIONS:
        return unknown(sought.upper())
    raise NoSuchCountry(f"{where!r} is no country that we know; write US, GB, Germany or +4915112345678.")


def unknown(country: str) -> ListPrice:
    return ListPrice(country=country, name=country, usd=None, as_of=None)


@cache
def by_country() -> dict[str, ListPrice]:
    prices = read_prices()
    return {each.iso: of_country(each.iso, each.name, prices) for each in read_rulebook().countries.values()}


def of_country(country: str, name: str, prices: PriceList) -> ListPrice:
    found = prices.find(What.SMS_OUT, country, SenderKind.LONG_CODE, date.max)
    if found is None or found.amount is None:
        return ListPrice(country=country, name=name, usd=None, as_of=None)
    return ListPrice(country=country, name=name, usd=found.amount, as_of=found.since.isoformat())
