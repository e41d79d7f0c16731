"""What Twilio asks for a segment, by the table of countries that ships with Replyline."""

import csv
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files

from phonenumbers import SUPPORTED_REGIONS

from replyline.errors import ReplylineError
from replyline.phone_numbers import country_of, parse_e164

# "price: https://... (copy in github.com/... committed 2026-05-25) ; sender: ..."
DATED = re.compile(r"\bprice:[^;]*?\b(\d{4}-\d{2}-\d{2})\b")


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
    table = files("replyline.rules.data").joinpath("countries.csv").read_text(encoding="utf-8")
    return {row["iso2"]: from_row(row) for row in csv.DictReader(table.splitlines())}


def from_row(row: dict[str, str]) -> ListPrice:
    written, dated = row["price_outbound_segment_usd"], DATED.search(row["source"])
    return ListPrice(
        country=row["iso2"],
        name=row["name"],
        usd=Decimal(written) if written else None,
        as_of=dated[1] if dated else None,
    )
