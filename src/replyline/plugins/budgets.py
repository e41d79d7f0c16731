"""What a line may spend, and what counts as a sudden jump, as its author declares it."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from replyline.errors import ReplylineError

Per = Literal["day", "month", "all"]
Of = Literal["line", "campaign", "contact", "model"]
PERS: tuple[Per, ...] = ("day", "month", "all")
OFS: tuple[Of, ...] = ("line", "campaign", "contact", "model")
FOR_REPLIES = 0.2  # of the budget of a line, unless it says otherwise
MICRO = 1_000_000


class BadBudget(ReplylineError):
    """A budget cannot be used as it is written, and why."""


@dataclass(frozen=True, slots=True)
class Budget:
    """So many US dollars for a day or a month of the line's time zone, or for all time.

    Budget(50, per="day")
    """

    amount: Decimal | str | int
    per: Per = "day"
    _: KW_ONLY
    of: Of = "line"  # all the line's texts; those of each campaign; those to each contact; what the model costs
    campaign: str = ""  # this one alone, of="campaign"
    for_replies: float | None = None  # the part that only replies may use; none: a fifth of a line's, else nothing

    def __post_init__(self) -> None:
        check(self)

    @property
    def micros(self) -> int:
        """Whole micro-dollars, what is less than one left off."""
        return int(Decimal(self.amount) * MICRO)

    @property
    def kept_for_replies(self) -> float:
        """What part of it only replies may use."""
        if self.for_replies is not None:
            return self.for_replies
        return FOR_REPLIES if self.of == "line" else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Jumps:
    """How many texts an hour are a sudden jump: over the floor, and over so many times the usual hour of a week.

    What is usual is the mean of the hours of the last seven days in which there were any.
    """

    times: float = 10
    country: int = 1000  # replies and notices to one country
    prefix: int = 100  # the same to numbers that differ in the last four digits alone
    contact: int = 30  # texts of any kind to one person

    def __post_init__(self) -> None:
        if self.times < 1 or min(self.country, self.prefix, self.contact) < 1:
            raise BadBudget("Jumps needs numbers of at least 1, as in Jumps(times=10, contact=30).")


def check(budget: Budget) -> None:
    """Stop the start with one sentence about a budget that could not hold."""
    written: object = budget.amount
    if not isinstance(written, Decimal | str | int) or isinstance(written, bool):
        raise BadBudget(f"A budget is written without a float, as in Budget('0.50'); this one has {budget.amount!r}.")
    try:
        amount = Decimal(budget.amount)
    except InvalidOperation:
        raise BadBudget(f"A budget is US dollars, as in Budget('49.50'); {budget.amount!r} is none.") from None
    if not amount.is_finite() or amount < 0:
        raise BadBudget(f"A budget is US dollars, at least 0; {budget.amount!r} is not.")
    if budget.per not in PERS or budget.of not in OFS:
        raise BadBudget(
            f"A budget is per {', '.join(PERS)} and of {', '.join(OFS)}; this one is per {budget.per!r} of {budget.of!r}."
        )
    if budget.campaign and budget.of != "campaign":
        raise BadBudget(f"The budget of the campaign {budget.campaign!r} needs of='campaign'.")
    if budget.for_replies is not None and (not 0 <= budget.for_replies <= 1 or budget.of in {"model", "campaign"}):
        raise BadBudget("for_replies is the part of a line's or a contact's budget that is kept for replies, 0 to 1.")


def check_together(budgets: Sequence[Budget]) -> None:
    """The same for the budgets of one line."""
    keys = [(each.of, each.per, each.campaign) for each in budgets]
    if twice := {key for key in keys if keys.count(key) > 1}:
        of, per, campaign = min(twice)
        raise BadBudget(
            f"The line has two budgets of {' '.join(filter(None, (of, campaign)))} per {per}; leave one out."
        )
