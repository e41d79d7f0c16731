"""What a text to a list of people would cost, and what would make it cheaper, in words."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from replyline.commands.fewer_segments import Way, units_too_many, ways_to_fewer
from replyline.conversations.segments import measure
from replyline.costs.forecast import LeavesFrom, Part, crowds_of, forecast, totals
from replyline.costs.prices import USD, PriceList, amount_of
from replyline.outbound.choose_sender import address_for
from replyline.phone_numbers import SenderKind, sender_kind
from replyline.plugins.senders import Sender

E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimated:
    """A text's cost, and what each way to fewer segments would come to."""

    segments: int
    too_many: int  # how much shorter it has to be for one segment fewer, in GSM-7 septets or UTF-16 units
    parts: Sequence[Part]
    cheaper: Sequence[tuple[Way, Sequence[Part]]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "country": part.country or "not known",
                "people": part.people,
                "sender": part.sender or "none can carry it",
                "segments": self.segments * part.people,
                "each": "not known" if part.each.micros is None else f"{amount_of(part.each.micros):.6f}",
                "cost": "not known" if part.micros is None else f"{amount_of(part.micros):.6f}",
                "currency": part.each.currency if part.micros is not None else "",
            }
            for part in self.parts
        ]


def estimated(body: str, phones: Sequence[str], prices: PriceList, senders: Sequence[Sender], today: date) -> Estimated:
    crowds = crowds_of(phones)

    def of(segments: int) -> list[Part]:
        return forecast(crowds, segments=segments, prices=prices, leaves_from=leaving_from(senders), on=today)

    segments = measure(body).segments
    return Estimated(
        segments=segments,
        too_many=units_too_many(body) if segments > 1 else 0,
        parts=of(segments),
        cheaper=[(way, of(way.segments)) for way in ways_to_fewer(body)],
    )


def leaving_from(senders: Sequence[Sender]) -> LeavesFrom:
    def leaves_from(phone: str) -> SenderKind | None:
        address = address_for(senders, phone)
        return sender_kind(address) if address else None

    return leaves_from


def said(found: Estimated, bad: Sequence[int]) -> Iterator[str]:
    """The sum, what is not in it, and the advice."""
    people = sum(part.people for part in found.parts)
    yield f"{people:,} people, {found.segments} segment{'s' * (found.segments != 1)} each: {in_words(found.parts)}."
    if unknown := sum(part.people for part in found.parts if part.micros is None and part.sender is not None):
        yield f"Of {unknown:,} of them nobody knows the price; it is not in the sum."
    if unsendable := sum(part.people for part in found.parts if part.sender is None):
        yield f"To {unsendable:,} of them no sender of the line can text."
    if bad:
        yield f"Lines that hold no phone number: {', '.join(map(str, bad[:10]))}{' ...' * (len(bad) > 10)}."
    for way, parts in found.cheaper:
        saved = less(found.parts, parts)
        yield f"With {NAMES.get(way.name, way.name)} it is {way.segments} each: {in_words(parts)}, {saved} less."
        yield from sorted({f"  {each.found!r} becomes {each.by!r}" for each in way.replacements})
    if found.too_many:
        yield f"{found.too_many} character{'s' * (found.too_many != 1)} shorter, and it is one segment less."


NAMES = {
    "look-alikes": "characters that look alike",
    "no emoji": "no emoji",
    "plain letters": "letters without accents",
}


def in_words(parts: Sequence[Part]) -> str:
    return sums(totals(parts)) or "not known"


def less(before: Sequence[Part], after: Sequence[Part]) -> str:
    saved = {currency: micros - totals(after).get(currency, 0) for currency, micros in totals(before).items()}
    return sums(saved) or "an unknown sum"


def sums(by_currency: Mapping[str, int]) -> str:
    return " and ".join(money(micros, currency) for currency, micros in sorted(by_currency.items()))


def money(micros: int, currency: str) -> str:
    return f"${amount_of(micros):,.2f}" if currency == USD else f"{amount_of(micros):,.2f} {currency}"


def quickly(phone_of: Callable[[str], str]) -> Callable[[str], str]:
    """The same for lists of a hundred thousand: what is written in E.164 is taken as it is."""
    return lambda word: word if E164.fullmatch(word) else phone_of(word)
