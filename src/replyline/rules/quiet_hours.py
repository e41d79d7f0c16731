"""Quiet hours: a text that nobody waits for arrives when every place its reader may be in allows it, and not before."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from functools import lru_cache

from replyline.hours import Hours
from replyline.rules.facts import Facts, Purpose
from replyline.rules.places import Place
from replyline.rules.rulebook import FEDERAL, Rulebook
from replyline.rules.verdict import Refuse, Send, Verdict, Wait
from replyline.rules.windows import Demand, Interval, intervals_from, is_open, next_open

# compliance.md §1: who has just written waits for the answer, at night too.
ANY_TIME = {
    Purpose.CONVERSATIONAL_REPLY,
    Purpose.OPT_IN,  # who has just signed up waits for the question; one vendor does so in Oregon too (compliance.md §1)
    Purpose.OPT_OUT_CONFIRMATION,
    Purpose.HELP_REPLY,
    Purpose.EMERGENCY,
}
WEEKDAYS, WEEKEND = frozenset(range(5)), frozenset({5, 6})
# Where no source gives hours for texts (countries.csv): no law that we know of, but manners. Canada's are the CRTC's
# hours for calls (compliance.md §8); the rest is our own choice, the federal window of the US.
COURTESY = (Hours(start=time(8), end=time(21)),)
COURTESY_OF = {
    "CA": (
        Hours(start=time(9), end=time(21, 30), days=WEEKDAYS),
        Hours(start=time(10), end=time(18), days=WEEKEND),
    )
}


def quiet_hours(facts: Facts, now: datetime) -> Verdict:
    """Hold a text until everybody's hours are open at once: of each zone and state, and the line's own."""
    if facts.purpose in ANY_TIME or (facts.purpose is Purpose.TRANSACTIONAL and not facts.holds_notices):
        return Send()
    demands = demands_on(facts.place, facts.book, facts.own_hours, also_adad=facts.follows_adad)
    closed = sorted({demand.by for demand in demands if not is_open(demand, now)})
    if not closed:
        return Send()
    open_to_all = intervals_in(
        facts.place, facts.book, facts.own_hours, now.astimezone(UTC).date(), also_adad=facts.follows_adad
    )
    until = next_open(open_to_all, now)
    if until is None:
        return Refuse(why=f"no hour suits every place they may be in: {facts.place.in_words()}", rule="quiet_hours")
    return Wait(until=until, why=f"quiet hours ({', '.join(closed)}) where they are: {facts.place.in_words()}")


@lru_cache(maxsize=4096)
def intervals_in(
    place: Place, book: Rulebook, own: tuple[Hours, ...], day: date, *, also_adad: bool
) -> tuple[Interval, ...]:
    """When everybody's hours are open at once in a place, for whoever asks on this day. A night's texts share it."""
    return intervals_from(demands_on(place, book, own, also_adad=also_adad), day)


@lru_cache(maxsize=4096)
def demands_on(place: Place, book: Rulebook, own: tuple[Hours, ...], *, also_adad: bool) -> tuple[Demand, ...]:
    """Whose hours count in a place, in each of its zones. Signals that disagree all count (compliance.md §4)."""
    return tuple(
        Demand(zone=zone, hours=hours, by=by)
        for zone in sorted(place.zones)
        for by, hours in [*rules_of(place, book, also_adad=also_adad), *([("the line", own)] if own else [])]
    )


def rules_of(place: Place, book: Rulebook, *, also_adad: bool) -> Iterable[tuple[str, tuple[Hours, ...]]]:
    if not place.states and place.country != "US":
        country = book.countries.get(place.country or "")
        hours = country.hours if country else ()
        yield place.country or "courtesy", hours or COURTESY_OF.get(place.country or "", COURTESY)
        return
    yield FEDERAL, book.state_hours[FEDERAL]
    for state in sorted(place.states):
        # Rules for machines that play a recorded voice; some apply them to what an AI writes (compliance.md §3).
        for row in (state, f"{state}-ADAD") if also_adad else (state,):
            if row in book.state_hours:
                yield row, book.state_hours[row]
