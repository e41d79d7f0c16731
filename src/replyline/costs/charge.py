"""One charge, and what it adds to the figures of its day and its conversation. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from replyline.costs.prices import MMS_COUNTRIES, USD, Estimate, PriceList, Tokens, What
from replyline.phone_numbers import country_of, sender_kind

FIRST_LOOK = timedelta(minutes=5)  # Twilio prices a message after it was sent, most within minutes
NO_TOKENS = Tokens()
INBOUND = "inbound"  # the purpose of what people write


class Kind(StrEnum):
    """What is charged for."""

    SMS_OUT = "sms_out"
    SMS_IN = "sms_in"
    MMS_OUT = "mms_out"
    MMS_IN = "mms_in"
    FAILED = "failed"  # the fee for a text that Twilio took and could not send
    MODEL = "model"
    RENT = "rent"
    ADJUSTMENT = "adjustment"  # what Twilio's bill of a day has beside our charges, more or less


TEXTS = frozenset({Kind.SMS_OUT, Kind.SMS_IN, Kind.MMS_OUT, Kind.MMS_IN})


def next_month(day: date) -> date:
    """The first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """What one text, fee or request to a model costs. Money is whole micros of its currency."""

    of_id: str  # the text, the step, or what else it is for; with the kind it names the charge
    kind: Kind
    line: str
    at: datetime
    conversation_id: str | None = None
    campaign: str = ""
    country: str = ""  # of the person's phone
    sender: str = ""
    purpose: str = ""
    model: str = ""
    units: int = 1  # segments, messages with pictures, requests
    tokens: Tokens = NO_TOKENS
    estimate_micros: int | None = None  # none: no list has the price
    carrier_micros: int | None = None
    estimate_currency: str = USD
    price_micros: int | None = None  # Twilio's own; none until it is known
    currency: str = USD  # of that
    look_at: datetime | None = None  # when Twilio is asked for its price

    @property
    def day(self) -> str:
        """The UTC day, which is Twilio's."""
        return self.at.astimezone(UTC).date().isoformat()


@dataclass(frozen=True, kw_only=True, slots=True)
class DayKey:
    """What the figures are kept by."""

    line: str
    day: str
    kind: str
    country: str
    sender: str
    purpose: str
    campaign: str
    model: str
    currency: str


@dataclass(kw_only=True, slots=True)
class Figures:
    """Sums over charges."""

    charges: int = 0
    units: int = 0
    cost_micros: int = 0  # Twilio's price where it is known, else the estimate
    estimated_micros: int = 0
    difference_micros: int = 0  # prices less their estimates, of those that have both
    unknown: int = 0  # charges of no known price
    unpriced: int = 0  # charges that wait for Twilio's price
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0

    def add(self, other: "Figures", sign: int = 1) -> None:
        for name in FIGURES:
            setattr(self, name, getattr(self, name) + sign * getattr(other, name))

    @property
    def is_nothing(self) -> bool:
        return not any(getattr(self, name) for name in FIGURES)


FIGURES = tuple(Figures.__dataclass_fields__)


def figures_of(charge: Charge) -> Iterator[tuple[DayKey, Figures]]:
    """What a charge adds to the days. An estimate in another currency than the price is in its own row."""
    is_priced = charge.price_micros is not None
    estimated = charge.estimate_micros or 0
    has_one_currency = not is_priced or charge.currency == charge.estimate_currency
    known = charge.price_micros if charge.price_micros is not None else charge.estimate_micros
    differs = is_priced and has_one_currency and charge.estimate_micros is not None
    yield (
        key_of(charge, charge.currency if is_priced else charge.estimate_currency),
        Figures(
            charges=1,
            units=charge.units,
            cost_micros=known or 0,
            estimated_micros=estimated if has_one_currency else 0,
            difference_micros=(charge.price_micros or 0) - estimated if differs else 0,
            unknown=int(known is None),
            unpriced=int(not is_priced and charge.look_at is not None),
            input_tokens=charge.tokens.input,
            cached_tokens=charge.tokens.cached,
            cache_write_tokens=charge.tokens.cache_write,
            output_tokens=charge.tokens.output,
        ),
    )
    if not has_one_currency and estimated:
        yield key_of(charge, charge.estimate_currency), Figures(estimated_micros=estimated)


def key_of(charge: Charge, currency: str) -> DayKey:
    return DayKey(
        line=charge.line,
        day=charge.day,
        kind=charge.kind.value,
        country=charge.country,
        sender=charge.sender,
        purpose=charge.purpose,
        campaign=charge.campaign,
        model=charge.model,
        currency=currency,
    )


def changes(before: Iterable[Charge], after: Iterable[Charge]) -> dict[DayKey, Figures]:
    """What the days gain when these charges take the place of those."""
    found: dict[DayKey, Figures] = {}
    for sign, charges in ((-1, before), (1, after)):
        for charge in charges:
            for key, figures in figures_of(charge):
                found.setdefault(key, Figures()).add(figures, sign)
    return {key: figures for key, figures in found.items() if not figures.is_nothing}


TalkKey = tuple[str, str, str, str]  # line, month, conversation, currency


def talk_changes(before: Iterable[Charge], after: Iterable[Charge]) -> dict[TalkKey, Figures]:
    """The same by month and conversation."""
    found: dict[TalkKey, Figures] = {}
    for sign, charges in ((-1, before), (1, after)):
        for charge in charges:
            if charge.conversation_id is None:
                continue
            for day, figures in figures_of(charge):
                key = (charge.line, day.day[:7], charge.conversation_id, day.currency)
                found.setdefault(key, Figures()).add(figures, sign)
    return {key: figures for key, figures in found.items() if not figures.is_nothing}


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """A text that Twilio carried, as far as its price goes by it."""

    id: str
    line: str
    conversation_id: str
    is_inbound: bool
    phone: str
    our_address: str
    messaging_service_sid: str | None
    segments: int | None
    has_pictures: bool
    purpose: str | None
    program: str | None
    at: datetime


def of_text(text: Carried, prices: PriceList) -> Charge:
    """The charge of a text that Twilio has, or brought."""
    country, kind = country_of(text.phone), sender_kind(text.our_address)
    billed_in = country_of(text.our_address) or country if text.is_inbound else country
    is_mms = text.has_pictures and billed_in in MMS_COUNTRIES
    way = "in" if text.is_inbound else "out"
    what = What(f"{'mms' if is_mms else 'sms'}_{way}")
    units = 1 if is_mms else max(text.segments or 1, 1)
    is_sms = ":" not in text.phone  # WhatsApp, RCS and others are not priced as texts
    estimate = (
        prices.of_text(what, country=billed_in, sender=kind, units=units, on=text.at.date()) if is_sms else Estimate()
    )
    return Charge(
        of_id=text.id,
        kind=Kind(what.value),
        line=text.line,
        at=text.at,
        conversation_id=text.conversation_id,
        campaign=text.program or "",
        country=country or "",
        sender=text.messaging_service_sid or text.our_address,
        purpose=INBOUND if text.is_inbound else text.purpose or "",
        units=units,
        estimate_micros=estimate.micros,
        carrier_micros=estimate.carrier_micros,
        estimate_currency=estimate.currency,
        look_at=text.at + FIRST_LOOK,
    )


def of_answer(
    *,
    step_id: str,
    line: str,
    conversation_id: str,
    phone: str,
    our_address: str,
    purpose: str,
    model: str,
    tokens: Tokens,
    said: int | None,
    prices: PriceList,
    at: datetime,
) -> Charge:
    """The charge of one request to a model. `said` is what the model layer makes of it, in micro-dollars."""
    estimate = prices.of_answer(model, tokens, at.date(), said=said)
    return Charge(
        of_id=step_id,
        kind=Kind.MODEL,
        line=line,
        at=at,
        conversation_id=conversation_id,
        country=country_of(phone) or "",
        sender=our_address,
        purpose=purpose,
        model=model,
        tokens=tokens,
        estimate_micros=estimate.micros,
        estimate_currency=estimate.currency,
    )


def of_failure(text: Charge, error_code: int | None, prices: PriceList, at: datetime) -> Charge:
    """The fee for a text that failed at Twilio."""
    fee = prices.of_failure(error_code, at.date())
    return replace(
        text,
        kind=Kind.FAILED,
        at=at,
        units=1,
        estimate_micros=fee.micros,
        carrier_micros=fee.carrier_micros,
        estimate_currency=fee.currency,
        price_micros=None,
        currency=USD,
        look_at=None,  # Twilio names it nowhere but in the sum of a day
    )
