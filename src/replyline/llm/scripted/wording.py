"""How the scripted model puts things: plain letters, and always the weekday, the date and the time.

Nobody is asked to answer with one word that a carrier hears as a command (STOP, CANCEL, END, QUIT, YES ...).
"""

from collections.abc import Sequence
from datetime import date, datetime, time

from replyline.llm.scripted.record import Appointment, Facts, Opening, Service

DEFAULT_SERVICE = "an appointment"


def say_day(day: date) -> str:
    return f"{day:%a} {day:%b} {day.day}"


def say_time(clock: time) -> str:
    minutes = f":{clock:%M}" if clock.minute else ""
    if clock >= time(23, 59):
        return "midnight"
    return f"{(clock.hour - 1) % 12 + 1}{minutes}{'am' if clock.hour < 12 else 'pm'}"


def say_when(at: datetime) -> str:
    return f"{say_day(at)} at {say_time(at.time())}"


def say_appointment(appointment: Appointment) -> str:
    return f"{appointment.service} on {say_when(appointment.starts_at)}"


def say_opening(opening: Opening) -> str:
    return " and ".join(f"{say_time(opens)}-{say_time(closes)}" for opens, closes in opening) or "closed"


def listed(names: Sequence[str], last: str = "and") -> str:
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)


def choices(services: Sequence[Service]) -> str:
    return listed([service.name for service in services], "or")


# Questions. They hold all that was settled so far: our next turn reads it back from them (pending.py).


def ask_time(service: str, day: date | None, part: str | None, *, again: bool = False) -> str:
    other = "other " if again else ""
    when = f" in the {part}" if part else ""
    if day is None:
        return f"What {other}day and time{when} would you like for {service}?"
    return f"What {other}time on {say_day(day)}{when} would you like for {service}?"


def ask_service(services: Sequence[Service], day: date | None, clock: time | None) -> str:
    when = f"{say_day(day)}{f' at {say_time(clock)}' if clock else ''}" if day else ""
    return f"What would you like to book{' for ' if when else ''}{when}: {choices(services)}?"


def ask_new_time(appointment: Appointment, day: date | None = None, *, again: bool = False) -> str:
    other = "other " if again else ""
    what = f"time on {say_day(day)}" if day else "day and time"
    return f"What {other}{what} should I move {say_appointment(appointment)} to?"


def ask_which(verb: str, appointments: Sequence[Appointment]) -> str:
    return f"Which one should I {verb}: {listed([say_appointment(each) for each in appointments], 'or')}?"


def offer(service: str, at: datetime) -> str:
    return f"We're open then. Just say \"book it\" and I'll put you down for {service} on {say_when(at)}."


def greeting(facts: Facts) -> str:
    name = f" {facts.name.split()[0]}" if facts.name and facts.name.strip() else ""
    return f"Hi{name}! {abilities(facts)} What can I do for you?"


def abilities(facts: Facts) -> str:
    who = f"{facts.business}'s automated assistant" if facts.business else "an automated assistant"
    return f"I'm {who}. I can book, move or cancel {what_we_book(facts)}, and tell you hours and prices."


def what_we_book(facts: Facts) -> str:
    return choices(facts.services) if 0 < len(facts.services) <= 4 else "appointments"
