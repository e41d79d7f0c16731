"""Is there money left for this text? Pure: the budgets are held by the transaction that asks."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from replyline.costs.allowance import LINE, Allowance
from replyline.rules.facts import Facts, Purpose
from replyline.rules.verdict import Send, Verdict, Wait, strictest

# What the law asks for, and what is about danger, leaves whatever it costs; it counts all the same.
OWED = frozenset({Purpose.OPT_OUT_CONFIRMATION, Purpose.HELP_REPLY, Purpose.EMERGENCY})
ASK_AGAIN = timedelta(hours=1)  # whether somebody has found out a price
SHORTLY = timedelta(seconds=1)


def budget(
    facts: Facts,
    allowances: Sequence[Allowance],
    micros: int | None,
    *,
    replies_at_limit: str,
    expires_at: datetime | None,
    now: datetime,
) -> Verdict:
    """Wait for the end of the period when a budget has less left than the text may cost."""
    if not allowances or facts.purpose in OWED:
        return Send()
    if micros is None:
        why = f"no list has a price for texts to {facts.country}, so no budget could hold"
        return Wait(until=in_time(now + ASK_AGAIN, expires_at, now), why=why)
    return strictest(one(facts, each, micros, replies_at_limit, expires_at, now) for each in allowances)


def one(
    facts: Facts, each: Allowance, micros: int, replies_at_limit: str, expires_at: datetime | None, now: datetime
) -> Verdict:
    is_reply = facts.purpose is Purpose.CONVERSATIONAL_REPLY
    if micros <= each.room(is_reply=is_reply):
        return Send()
    if is_reply and each.budget.of == LINE and replies_at_limit == "send":
        return Send()
    kept = " but for what is kept for replies" if micros <= each.room(is_reply=True) else ""
    return Wait(until=in_time(each.ends_at, expires_at, now), why=f"{each.words} is used up{kept}")


def in_time(until: datetime, expires_at: datetime | None, now: datetime) -> datetime:
    """Not past the time a text is for: a person may raise the budget before."""
    if expires_at is None or until < expires_at:
        return until
    return max(expires_at - SHORTLY, now + SHORTLY)
