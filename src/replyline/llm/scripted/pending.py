"""What we had asked for, read back from our own last text. So nothing needs remembering between turns."""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Literal

from replyline.llm.scripted.record import Appointment, Facts
from replyline.llm.scripted.when import find_when
from replyline.llm.scripted.wording import DEFAULT_SERVICE, say_appointment


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """A wish that lacks something."""

    verb: Literal["book", "move", "cancel"]
    service: str | None = None
    day: date | None = None
    clock: time | None = None
    part: str | None = None
    appointment: Appointment | None = None
    near: time | None = None  # the time that was not to be had; the next is probably close to it
    offered: tuple[time, ...] = ()  # the times we named as free
    is_which: bool = False  # we asked which of several they meant
    question: str = ""  # as we asked it, to ask it again


DAY_SAID = r"(?P<day>\w{3} \w{3} \d{1,2})"
QUESTIONS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"What (?P<other>other )?(?:day and )?time(?: on {DAY_SAID})?(?: in the (?P<part>\w+))? would you like "
        r"for (?P<service>[^?]+)\?",
        rf"What would you like to book(?: for {DAY_SAID}(?: at (?P<clock>[\d:]+[ap]m))?)?(?P<what>[:?])",
        rf'say "book it" and I\'ll put you down for (?P<service>.+?) on {DAY_SAID} at (?P<clock>[\d:]+[ap]m)',
        rf"What (?P<other>other )?(?:day and )?time(?: on {DAY_SAID})? should I move (?P<appointment>.+?) to\?",
        r"Which one should I (?P<which>move|cancel)\b",
    )
)


def pending_in(reply: str, facts: Facts) -> Pending | None:
    """What our last text asked for, if it was a question of ours."""
    for question in QUESTIONS:
        if said := question.search(reply):
            pending = as_pending(said.groupdict(), reply[: said.start()], facts)
            return replace(pending, question=reply[said.start() :], offered=offered_in(reply))
    return None


def as_pending(said: dict[str, str | None], before: str, facts: Facts) -> Pending:
    if which := said.get("which"):
        return Pending(verb="move" if which == "move" else "cancel", is_which=True)
    settled = find_when(f"{said.get('day') or ''} {said.get('clock') or ''}", facts.now)
    near = find_when(before, facts.now).clock if said.get("other") else None
    day = settled.day if settled.names_day else None
    if named := said.get("appointment"):
        found = next((each for each in facts.appointments if say_appointment(each) == named), None)
        return Pending(verb="move", appointment=found, day=day, near=near)
    service = said.get("service")
    return Pending(
        verb="book",
        service=None if service == DEFAULT_SERVICE else service,
        day=day,
        clock=settled.clock,
        part=said.get("part"),
        near=near,
    )


FREE = re.compile(r"\bFree: (?P<times>[^?!]*?)(?:\.|$)")
FREE_TIME = re.compile(r"(?<!\w)\d{1,2}(?::\d\d)?[ap]m\b")


def offered_in(reply: str) -> tuple[time, ...]:
    """ "Free: 6:30am, 5:30pm." But of "6am to 9pm every 30 minutes" none is more likely than the others."""
    free = FREE.search(reply)
    if not free or " to " in free["times"]:
        return ()
    return tuple(clock_of(each) for each in FREE_TIME.findall(free["times"]))


def clock_of(said: str) -> time:
    hour, _, minute = said[:-2].partition(":")
    return time(int(hour) % 12 + 12 * (said[-2] == "p"), int(minute or 0))


def last_mentioned(said: list[str], facts: Facts) -> Appointment | None:
    """The one appointment that the newest text about any of them is about."""
    for text in reversed(said):
        exact = [each for each in facts.appointments if says_when(each.starts_at, text)]
        named = [each for each in facts.appointments if re.search(rf"\b{re.escape(each.service)}\b", text, re.I)]
        both = [each for each in exact if each in named]
        for found in (both, exact, named):
            if len(found) == 1:
                return found[0]
        if named or exact:
            return None
    return None


def says_when(at: datetime, text: str) -> bool:
    found = find_when(text, at.replace(hour=0, minute=0))
    return found.names_day and found.day == at.date() and found.clock == at.time()
