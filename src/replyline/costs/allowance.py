"""What a budget has left in its period, and which budgets a text takes from. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from replyline.costs.charge import Carried, next_month, of_text
from replyline.costs.prices import MICRO, USD, PriceList, Tokens, What, micros, newest, of_tokens
from replyline.plugins.budgets import Budget, Per

THRESHOLDS = (50, 80, 100)  # percent of a budget at which its line's people are told
LINE, MODEL = "line", "model"
WITHOUT_END = timedelta(days=30)  # when a budget for all time is looked at again; raising it wakes what waits
OF_PERIOD: Mapping[Per, str] = {"day": "today's", "month": "this month's", "all": "the whole"}

Key = tuple[str, str, str]  # line, scope, period


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """A budget in one period. Money is whole micro-dollars."""

    key: Key
    budget: Budget
    ends_at: datetime
    spent: int = 0
    reserved: int = 0
    raised: int = 0
    alerted: int = 0  # the highest threshold that was told

    @property
    def used(self) -> int:
        return self.spent + self.reserved

    @property
    def limit(self) -> int:
        return self.budget.micros + self.raised

    def room(self, *, is_reply: bool) -> int:
        """What is left, less what only replies may use."""
        kept = 0 if is_reply else round(self.limit * self.budget.kept_for_replies)
        return self.limit - kept - self.used

    @property
    def threshold(self) -> int:
        """The highest threshold that is reached, in percent."""
        return max((each for each in THRESHOLDS if self.used * 100 >= self.limit * each), default=0)

    @property
    def words(self) -> str:
        """For the operator: today's budget of $50.00 for this campaign."""
        whose = {LINE: "", MODEL: " for the model", "campaign": " for this campaign", "contact": " for this person"}
        return f"{OF_PERIOD[self.budget.per]} budget of {dollars(self.limit)}{whose[self.budget.of]}"


def dollars(whole: int) -> str:
    """Micro-dollars as people write them; what is not whole cents keeps all its places."""
    amount = Decimal(whole) / MICRO
    return f"${amount:.2f}" if whole % 10_000 == 0 else f"${amount:f}"


def of_a_text(
    budgets: Sequence[Budget], line: str, zone: str, *, campaign: str, contact_id: str, now: datetime
) -> Iterator[Allowance]:
    """The budgets that a text takes from, with nothing spent yet."""
    for budget in budgets:
        scope = scope_of(budget, campaign=campaign, contact_id=contact_id)
        if scope is not None:
            yield allowance(budget, line, scope, zone, now)


def of_the_model(budgets: Sequence[Budget], line: str, zone: str, now: datetime) -> list[Allowance]:
    return [allowance(each, line, MODEL, zone, now) for each in budgets if each.of == MODEL]


def scope_of(budget: Budget, *, campaign: str, contact_id: str) -> str | None:
    """What a budget is kept by, for a text; none when the text is not its business."""
    if budget.of == "contact":
        return f"contact:{contact_id}"
    if budget.of == "campaign":
        return f"campaign:{campaign}" if campaign and budget.campaign in {"", campaign} else None
    return LINE if budget.of == LINE else None


def allowance(budget: Budget, line: str, scope: str, zone: str, now: datetime) -> Allowance:
    period, ends_at = period_of(budget.per, zone, now)
    return Allowance(key=(line, scope, period), budget=budget, ends_at=ends_at)


@lru_cache(maxsize=64)  # a claim asks for each of its texts, at the same time
def period_of(per: Per, zone: str, now: datetime) -> tuple[str, datetime]:
    """The name of the period that it is now in a time zone, and when it ends."""
    local = now.astimezone(ZoneInfo(zone))
    if per == "all":
        return "all", now + WITHOUT_END
    day = local.date()
    after = day + timedelta(days=1) if per == "day" else next_month(day)
    return str(day) if per == "day" else f"{day:%Y-%m}", beginning(after, zone).astimezone(now.tzinfo)


def beginning(day: date, zone: str) -> datetime:
    """When a day begins in a time zone."""
    return datetime.combine(day, time(), ZoneInfo(zone))


def at_most(text: Carried, prices: PriceList) -> int | None:
    """What to reserve for a text, in micro-dollars; none when nobody knows what its country costs.

    What has no price in US dollars counts as the dearest that is known of its country.
    """
    charge = of_text(text, prices)
    if charge.estimate_micros is not None and charge.estimate_currency == USD:
        return charge.estimate_micros
    return dearest(prices, charge.kind.value, charge.country, charge.units)


def dearest(prices: PriceList, what: str, country: str, units: int) -> int | None:
    """The most that any list asks for so many segments to a country, by whatever sender."""
    base, fee = (
        max(
            (
                row.amount
                for layer in prices.texts
                for row in layer.get((name, country), ())
                if row.amount is not None and row.currency == USD
            ),
            default=None,
        )
        for name in (what, f"{what}_fee")
    )
    return None if base is None else micros((base + (fee or Decimal(0))) * units)


def dearest_anywhere(prices: PriceList, units: int) -> int:
    """The most that any list asks for so many segments to anywhere."""
    places = {country for layer in prices.texts for what, country in layer if what == What.SMS_OUT}
    return max((dearest(prices, What.SMS_OUT, each, units) or 0 for each in places), default=0)


def dearest_answer(prices: PriceList, used: Tokens, on: date) -> int:
    """What an answer would cost of the dearest model that is known: for one whose price is not."""
    lists = [*prices.own_models.values(), *prices.models.values()]
    known = [of_tokens(row, used) for rows in lists if (row := newest(rows, on)) and row.currency == USD]
    return max((each.micros for each in known if each.micros is not None), default=0)
