"""How often a person may be sent advertising: by their state, their country and the line, in rolling windows."""

from collections.abc import Iterable
from datetime import datetime

from replyline.rules.facts import Facts, Purpose
from replyline.rules.verdict import Send, Verdict, Wait, strictest


def frequency_cap(facts: Facts, now: datetime) -> Verdict:
    """Hold an advertising text until the oldest that counts has left the window. Brand and person, whatever the number."""
    if facts.purpose is not Purpose.MARKETING:
        return Send()
    return strictest(holds(facts, now))


def holds(facts: Facts, now: datetime) -> Iterable[Verdict]:
    places = [*sorted(facts.place.states), facts.place.country or ""]
    for cap in [*facts.own_caps, *(cap for place in places for cap in facts.book.caps.get(place, ()))]:
        counted = sorted(at for at in facts.marketing_sent if at > now - cap.within)
        if len(counted) >= cap.texts:
            until = counted[-cap.texts] + cap.within
            hours = cap.within.total_seconds() / 3600
            yield Wait(
                until=until, why=f"{len(counted)} advertising texts in {hours:g} hours; {cap.by} allows {cap.texts}"
            )
