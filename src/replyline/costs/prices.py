"""What things cost, from dated lists: the user's own, Twilio's as fetched, and the one shipped. Pure.

An amount is a Decimal in a currency; a total is whole micros (millionths of the currency). What no list has is none:
said, and never taken for zero.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from re import compile as pattern

from replyline.errors import ReplylineError
from replyline.phone_numbers import SenderKind

TEXTS, MODELS = "texts.csv", "models.csv"
USD, ANY, MICRO = "USD", "*", 1_000_000
DATED = pattern(r"(.+?)-\d{4}-?\d{2}-?\d{2}")  # gpt-6-luna-2026-10-01
MMS_COUNTRIES = frozenset({"US", "CA"})  # elsewhere Twilio turns pictures into a link in an SMS (compliance.md 5.6)


class BadPrices(ReplylineError):
    """A file of prices cannot be used, and where."""


class What(StrEnum):
    """What has a price. All but the last two are per segment, or per message when it has pictures."""

    SMS_OUT = "sms_out"
    SMS_IN = "sms_in"
    MMS_OUT = "mms_out"
    MMS_IN = "mms_in"
    FAILED = "failed"  # per message that Twilio took and could not send
    RENT = "rent"  # of a number, per month


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """One line of a list."""

    what: str
    country: str
    sender: str
    amount: Decimal | None  # none: it is charged, and nobody knows how much
    currency: str
    since: date
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPrice:
    """What a model's tokens cost, each by the million."""

    model: str
    input: Decimal
    cached: Decimal | None
    cache_write: Decimal | None
    output: Decimal
    currency: str
    since: date
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """What one request to a model used. The cached and written ones are part of the input."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What something will cost, as far as the lists know."""

    micros: int | None = None
    carrier_micros: int | None = None  # the part of it that carriers take
    currency: str = USD


UNKNOWN = Estimate()


@dataclass(frozen=True, kw_only=True)
class PriceList:
    """The lists, those first that count most."""

    texts: Sequence[Mapping[tuple[str, str], Sequence[Price]]]  # by what and country
    own_models: Mapping[str, Sequence[ModelPrice]]
    models: Mapping[str, Sequence[ModelPrice]]
    _known: dict[tuple[str, str, str, date], Price | None] = field(default_factory=dict, repr=False)

    def of_text(self, what: What, *, country: str | None, sender: SenderKind, units: int, on: date) -> Estimate:
        """Of a text with so many segments (or one message). The country is the phone's, or of a text that came in ours.

        Which carrier a phone is with is not known, so its fee is the dearest one's.
        """
        base = self.find(what, country, sender, on)
        if base is None or base.amount is None:
            return UNKNOWN
        fee = self.find(f"{what}_fee", country, sender, on)
        if fee is None:
            return Estimate(micros=micros(base.amount * units), carrier_micros=0, currency=base.currency)
        if fee.amount is None or fee.currency != base.currency:
            return UNKNOWN
        return Estimate(
            micros=micros((base.amount + fee.amount) * units),
            carrier_micros=micros(fee.amount * units),
            currency=base.currency,
        )

    def of_failure(self, error_code: int | None, on: date) -> Estimate:
        """Of a text that Twilio took and could not send."""
        if error_code in NOT_CHARGED:
            return Estimate(micros=0)
        return self._alone(self.find(What.FAILED, None, SenderKind.LONG_CODE, on))

    def of_number(self, country: str | None, kind: SenderKind, on: date) -> Estimate:
        """Of a number for a month."""
        return self._alone(self.find(What.RENT, country, kind, on))

    def of_answer(self, model: str, tokens: Tokens, on: date, *, said: int | None = None) -> Estimate:
        """Of one request to a model. `said` is what the model layer makes of it, in micro-dollars."""
        if own := newest(self.own_models.get(model) or self.own_models.get(undated(model), ()), on):
            return of_tokens(own, tokens)
        if said is not None:
            return Estimate(micros=said, carrier_micros=0)
        shipped = newest(self.models.get(model) or self.models.get(undated(model), ()), on)
        return of_tokens(shipped, tokens) if shipped else UNKNOWN

    def in_country(self, country: str, on: date) -> list[Price]:
        """All that holds in a country on a day, of the list that counts for each."""
        names = [name for what in What for name in (what.value, f"{what.value}_fee")]
        kinds = (SenderKind.LONG_CODE, SenderKind.TOLL_FREE, SenderKind.SHORT_CODE)
        found = [self.find(name, country, kind, on) for name in names for kind in kinds]
        return list(dict.fromkeys(each for each in found if each))

    def find(self, what: str, country: str | None, sender: SenderKind, on: date) -> Price | None:
        """The price that holds on a day, from the first list that has one."""
        key = (str(what), country or "", sender.value, on)
        if key not in self._known:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[key] = self._look_up(key[0], key[1], key[2], on)
        return self._known[key]

    def _look_up(self, what: str, country: str, sender: str, on: date) -> Price | None:
        for layer in self.texts:
            for place in (country, ANY):
                rows = layer.get((what, place), ())
                for kind in (sender, ANY):
                    if found := newest([row for row in rows if row.sender == kind], on):
                        return dearest([row for row in rows if row.sender == kind and row.since == found.since])
        return None

    def _alone(self, price: Price | None) -> Estimate:
        if price is None or price.amount is None:
            return UNKNOWN
        return Estimate(micros=micros(price.amount), carrier_micros=0, currency=price.currency)


def micros(amount: Decimal) -> int:
    """Whole millionths of an amount."""
    return int((amount * MICRO).to_integral_value(rounding=ROUND_HALF_UP))


def amount_of(whole: int) -> Decimal:
    """The amount that is so many millionths."""
    return Decimal(whole) / MICRO


def newest(rows: Sequence[Price] | Sequence[ModelPrice], on: date):  # type: ignore[no-untyped-def]
    """The row that holds on a day; before the first, that one: a list says when it was read, not when it began."""
    begun = [row for row in rows if row.since <= on]
    return max(begun, key=lambda row: row.since) if begun else min(rows, key=lambda row: row.since, default=None)


def dearest(rows: Sequence[Price]) -> Price:
    """Of the rows of several carriers. One that nobody knows could be any."""
    return max(rows, key=lambda row: Decimal("Infinity") if row.amount is None else row.amount)


def of_tokens(price: ModelPrice, used: Tokens) -> Estimate:
    plain = max(used.input - used.cached - used.cache_write, 0)
    parts = [(plain, price.input), (used.cached, price.cached), (used.cache_write, price.cache_write)]
    total = used.output * price.output
    for count, each in parts:
        if count and each is None:
            return UNKNOWN
        total += count * (each or Decimal(0))
    return Estimate(micros=micros(total / MICRO), carrier_micros=0, currency=price.currency)


def undated(model: str) -> str:
    found = DATED.fullmatch(model)
    return found[1] if found else model


@cache
def read_prices(folder: Path | None = None, fetched: tuple[Price, ...] = ()) -> PriceList:
    """The shipped lists, before them what Twilio's Pricing API said, and before that those in `folder`.

    Raises `BadPrices`.
    """
    if folder is not None and not folder.is_dir():
        raise BadPrices(f"REPLYLINE_PRICES_DIR names {folder}, which is no folder.")
    own_texts = read_texts(own_file(folder, TEXTS), TEXTS)
    own_models = read_models(own_file(folder, MODELS), MODELS)
    shipped = files("replyline.costs").joinpath("data")
    return PriceList(
        texts=[
            by_place(own_texts),
            by_place(fetched),
            by_place(read_texts(shipped.joinpath(TEXTS).read_text(encoding="utf-8"), TEXTS)),
        ],
        own_models=by_model(own_models),
        models=by_model(read_models(shipped.joinpath(MODELS).read_text(encoding="utf-8"), MODELS)),
    )


def own_file(folder: Path | None, name: str) -> str:
    path = None if folder is None else folder / name
    return path.read_text(encoding="utf-8-sig") if path is not None and path.exists() else ""


def by_place(rows: Iterable[Price]) -> dict[tuple[str, str], list[Price]]:
    found: dict[tuple[str, str], list[Price]] = defaultdict(list)
    for row in rows:
        found[row.what, row.country].append(row)
    return dict(found)


def by_model(rows: Iterable[ModelPrice]) -> dict[str, list[ModelPrice]]:
    found: dict[str, list[ModelPrice]] = defaultdict(list)
    for row in rows:
        found[row.model].append(row)
    return dict(found)


def read_texts(written: str, name: str) -> list[Price]:
    return [
        Price(
            what=row["what"],
            country=row["country"] or ANY,
            sender=row.get("sender") or ANY,
            amount=number(row["amount"]),
            currency=row.get("currency") or USD,
            since=date.fromisoformat(row["since"]),
            source=row.get("source") or name,
        )
        for row in checked_rows(written, name, {"what", "country", "amount", "since"})
        if known_what(row["what"])
    ]


def read_models(written: str, name: str) -> list[ModelPrice]:
    return [
        ModelPrice(
            model=row["model"],
            input=needed(row["input"]),
            cached=number(row.get("cached") or ""),
            cache_write=number(row.get("cache_write") or ""),
            output=needed(row["output"]),
            currency=row.get("currency") or USD,
            since=date.fromisoformat(row["since"]),
            source=row.get("source") or name,
        )
        for row in checked_rows(written, name, {"model", "input", "output", "since"})
    ]


def checked_rows(written: str, name: str, columns: set[str]) -> Iterable[Mapping[str, str]]:
    """The rows of a file, each in turn, with the line named where one cannot be used."""
    reader = csv.DictReader(written.splitlines())
    if written and not columns <= set(reader.fieldnames or ()):
        raise BadPrices(f"{name} needs a first line that names its columns: {', '.join(sorted(columns))}.")
    for row in reader:
        try:
            date.fromisoformat(row["since"])
            [number(row[column]) for column in ("amount", "input", "output", "cached") if row.get(column)]
            if "what" in row:
                known_what(row["what"])
        except (ValueError, InvalidOperation, TypeError) as error:
            raise BadPrices(
                f"{name}, line {reader.line_num}, cannot be used: {type(error).__name__} {error}."
            ) from None
        yield row


def known_what(word: str) -> bool:
    What(word.removesuffix("_fee"))
    return True


def number(written: str) -> Decimal | None:
    if not written:
        return None
    amount = Decimal(written)
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{written} is no price")
    return amount


def needed(written: str) -> Decimal:
    return number(written) or Decimal(0)


# Failures that cost nothing: Twilio's own faults, what expired, was filtered or was never allowed, and others.
# https://support.twilio.com/hc/en-us/articles/27502337507483, as in twilio.md 3.3.
NOT_CHARGED = frozenset(
    {12400, 20500, 20504, 30103, 30500, 63010, 63012, 30036, 30002, 30454, 63038, 90010, 30450, 21408}
    | {63013, 63018, 63021, 63024, 63032, 30008}
)
