"""What a text to many people will cost, told before it is sent. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from replyline.costs.prices import UNKNOWN, Estimate, PriceList, What
from replyline.phone_numbers import SenderKind, country_by_prefix

LeavesFrom = Callable[[str], SenderKind | None]  # what a text to a number would leave from; none: nothing can carry it


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The people of one country."""

    country: str  # empty: not known
    people: int
    sender: SenderKind | None
    each: Estimate  # of one text, all its segments

    @property
    def micros(self) -> int | None:
        """Of all of them; none when nobody knows the price."""
        return None if self.each.micros is None else self.each.micros * self.people


@dataclass(frozen=True, kw_only=True, slots=True)
class Crowd:
    """People of one country."""

    country: str  # empty: not known
    people: int
    one_of_them: str  # a phone


def crowds_of(phones: Iterable[str]) -> list[Crowd]:
    """People by country. Who is listed twice counts once."""
    people: Counter[str] = Counter()
    one_of: dict[str, str] = {}
    for phone in set(phones):
        country = country_by_prefix(phone) or ""
        people[country] += 1
        one_of.setdefault(country, phone)
    return [Crowd(country=each, people=people[each], one_of_them=one_of[each]) for each in people]


def forecast(
    crowds: Iterable[Crowd], *, segments: int, prices: PriceList, leaves_from: LeavesFrom, on: date
) -> list[Part]:
    """The text's cost by country, the dearest country first."""
    parts = []
    for crowd in crowds:
        country, sender = crowd.country, leaves_from(crowd.one_of_them)
        each = UNKNOWN
        if sender is not None:
            each = prices.of_text(What.SMS_OUT, country=country, sender=sender, units=segments, on=on)
        parts.append(Part(country=country, people=crowd.people, sender=sender, each=each))
    return sorted(parts, key=lambda part: (-(part.micros or 0), -part.people, part.country))


def totals(parts: Sequence[Part]) -> dict[str, int]:
    """Micros by currency, of what has a price."""
    found: Counter[str] = Counter()
    for part in parts:
        if part.micros is not None:
            found[part.each.currency] += part.micros
    return dict(found)
