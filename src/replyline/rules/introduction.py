"""The first text to a person says who texts, how to stop, and that an AI writes (compliance.md §5.1, §11)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from replyline.conversations.segments import LONGEST_BODY, measure
from replyline.rules.facts import Purpose

# Told once a day: who wrote yesterday may have forgotten, and laws ask for it anew (compliance.md §11).
AGAIN_AFTER = timedelta(hours=24)
# What they are owed at once and as it is: a STOP's confirmation may hold nothing else, and the others say it themselves.
AS_THEY_ARE = {Purpose.OPT_IN, Purpose.OPT_OUT_CONFIRMATION, Purpose.HELP_REPLY, Purpose.EMERGENCY}
RATES_ARE_NAMED = {"US", "CA"}  # where carriers ask for "Msg & data rates may apply"


def is_due(purpose: Purpose, introduced_at: datetime | None, now: datetime) -> bool:
    """Whether a text that leaves now has to say it."""
    return purpose not in AS_THEY_ARE and (introduced_at is None or now - introduced_at >= AGAIN_AFTER)


def introduced(body: str, *, name: str, country: str | None, is_first: bool, can_reply: bool = True) -> str:
    """The body with the introduction after it: the fullest wording that costs no further segment, else the plain one.

    The first time it has the name, how to stop, the rates where they are to be named, and the AI. Later only the AI. Where
    people cannot reply it does not invite them to; `one_way` says how to stop.
    """
    if not is_first:
        wordings = again_wordings(name)
    elif can_reply:
        wordings = first_wordings(body, name, country)
    else:
        wordings = [f"{name}: this text is automated.", "Automated."]
    return fitting(body, wordings)


def one_way(body: str, contact: str) -> str:
    """The body with how to opt out where no reply arrives; owed in each text (47 CFR 64.1200(a)(10))."""
    if contact in body:
        return body
    return fitting(body, [f"No replies here. To get no more texts: {contact}", f"To opt out: {contact}"])


def fitting(body: str, wordings: Sequence[str]) -> str:
    """The body and the first of these that costs no further segment, else the plainest that a text has room for."""
    size = measure(body).segments
    whole = [join(body, wording) for wording in wordings]
    for each in whole:
        if measure(each).segments <= size:
            return each
    return next((each for each in whole if len(each) <= LONGEST_BODY), body)


def first_wordings(body: str, name: str, country: str | None) -> list[str]:
    is_named = name.casefold() in body.casefold()
    who, an = ("", "An") if is_named else (f"{name}: ", "an")
    rates = " Msg & data rates may apply." if country in RATES_ARE_NAMED else ""
    short = " Msg&data rates may apply." if rates else ""
    return [
        f"{who}{an} AI assistant answers here. Reply HELP for help, STOP to opt out.{rates}",
        f"{who}AI assistant. HELP for help, STOP to opt out.{short}",
    ]


def again_wordings(name: str) -> list[str]:
    return [f"(AI assistant of {name})", "(AI assistant)"]


def join(body: str, wording: str) -> str:
    return f"{body}\n{wording}" if body else wording
