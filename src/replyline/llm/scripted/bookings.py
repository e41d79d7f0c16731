"""Booking, moving and cancelling: what to do, or what to ask first. It asks rather than guesses."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime, time, timedelta

from replyline.llm.scripted import wording
from replyline.llm.scripted.pending import Pending
from replyline.llm.scripted.record import Appointment, Facts, Service
from replyline.llm.scripted.steps import Ask, Do, Say, Step
from replyline.llm.scripted.when import When, find_when
from replyline.llm.scripted.when_words import number, plain

SHIFT = re.compile(
    r"\b(?P<count>an?|half an?|\d+|one|two|three)[ -]?(?P<unit>hours?|hrs?|h|minutes?|mins?) "
    r"(?P<way>later|earlier|back|forward|sooner|ahead)\b"
    r"|\b(?P<way2>back|forward|up) (?:by )?(?P<count2>an?|half an?|\d+|one|two|three) "
    r"(?P<unit2>hours?|hrs?|minutes?|mins?)\b"
)
ORIGIN = re.compile(r"\b(?:my|from|the) (.{1,25}?) (?:\w+ )?to\b", re.I)


class Bookings:
    """What may be done with the person's appointments."""

    def __init__(self, facts: Facts, tools: Collection[str], *, mentioned: Appointment | None) -> None:
        self.facts, self.tools, self.mentioned = facts, tools, mentioned

    def book(self, wish: Pending, when: When, *, is_offer: bool) -> list[Step]:
        if "schedule_appointment" not in self.tools:
            return [Say(text="Sorry, I can't book by text here.")]
        if wish.service is None:
            question = wording.ask_service(self.facts.services, wish.day, wish.clock)
            return [Ask(text=question, pending=wish)]
        if wish.day is None or wish.clock is None:
            return self._ask_when(wish, wish.service)
        at = datetime.combine(wish.day, wish.clock)
        if problem := self._problem(at, is_past=when.is_past):
            return [self._ask_again(wish.service, problem, at)]
        if is_offer:
            return [Ask(text=wording.offer(wish.service, at), pending=wish)]
        arguments = {"service": wish.service, "starts_at": at.isoformat(), "notes": ""}
        if wish.service == wording.DEFAULT_SERVICE:
            arguments["service"] = "appointment"
        instead = wording.ask_time(wish.service, wish.day, None, again=True)
        return [Do(tool="schedule_appointment", arguments=arguments, service=wish.service, at=at, instead=instead)]

    def _ask_again(self, service: str, problem: str, at: datetime) -> Ask:
        """The day stays as it was when we are open on it at other times."""
        day = at.date() if at.date() >= self.facts.now.date() and self.facts.opening_on(at.date()) != () else None
        question = wording.ask_time(service, day, None, again=True)
        return Ask(text=f"{problem} {question}", pending=Pending(verb="book", service=service, day=day))

    def _ask_when(self, wish: Pending, service: str) -> list[Step]:
        day = wish.day
        if day is None:
            return [Ask(text=wording.ask_time(service, None, wish.part), pending=wish)]
        opening, midnight = self.facts.opening_on(day), datetime.combine(day, time.min)
        if day < self.facts.now.date():
            return [self._ask_again(service, "That day has passed.", midnight)]
        if opening == ():
            return [self._ask_again(service, f"Sorry, we're closed on {wording.say_day(day)}.", midnight)]
        question = wording.ask_time(service, day, wish.part)
        if "appointment_info" in self.tools:
            arguments = {"day": day.isoformat(), "service": service}
            lookup = Do(tool="appointment_info", arguments=arguments, service=service, at=midnight)
            return [Ask(text=question, pending=wish, lookup=lookup)]
        hint = f" We're open {wording.say_opening(opening)}." if opening else ""
        return [Ask(text=f"{question}{hint}", pending=wish)]

    def move(self, text: str, when: When, chosen: Appointment | None, pending: Pending | None = None) -> list[Step]:
        if not self.facts.appointments:
            return [Say(text="You have nothing booked that I could move.")]
        if "update_appointment" not in self.tools:
            return [Say(text="Sorry, I can't move bookings by text here.")]
        old = chosen or self.aim(text)
        if old is None:
            return [
                Ask(
                    text=wording.ask_which("move", self.facts.appointments), pending=Pending(verb="move", is_which=True)
                )
            ]
        if len(named := self.facts.services_in(text)) > 1:
            return [
                Say(text=f"I can't turn one into another, but I can cancel {named[0].name} and book {named[1].name}.")
            ]
        at = self._new_time(old, text, when, pending)
        if at is None:
            day = when.day if when.names_day else None
            return [Ask(text=wording.ask_new_time(old, day), pending=Pending(verb="move", appointment=old, day=day))]
        if at == old.starts_at:
            return [Say(text=f"That is when you are booked: {wording.say_appointment(old)}.")]
        if problem := self._problem(at, is_past=False):
            day = at.date() if self.facts.opening_on(at.date()) and at.date() >= self.facts.now.date() else None
            question = wording.ask_new_time(old, day, again=True)
            return [Ask(text=f"{problem} {question}", pending=Pending(verb="move", appointment=old, day=day))]
        instead = wording.ask_new_time(old, at.date(), again=True)
        arguments = {"appointment_id": old.id, "starts_at": at.isoformat()}
        return [Do(tool="update_appointment", arguments=arguments, service=old.service, at=at, instead=instead)]

    def _new_time(self, old: Appointment, text: str, when: When, pending: Pending | None) -> datetime | None:
        if shift := SHIFT.search(plain(text)):
            return old.starts_at + shifted(shift)
        asked_day = pending.day if pending and pending.verb == "move" else None
        day = when.day if when.names_day else asked_day
        if when.clock:
            at = datetime.combine(day or old.starts_at.date(), when.clock)
            if day is None and when.day and at <= self.facts.now.replace(tzinfo=None):
                return datetime.combine(when.day, when.clock)  # the old day is over by then
            return at
        if day and not when.part:
            return datetime.combine(day, old.starts_at.time())
        return None

    def cancel(
        self, text: str, when: When, services: tuple[Service, ...], *, every: bool, chosen: Appointment | None = None
    ) -> list[Step]:
        appointments = self.facts.appointments
        if not appointments:
            return [Say(text="You have nothing booked, so there is nothing to cancel.")]
        if "cancel_appointment" not in self.tools:
            return [Say(text="Sorry, I can't cancel bookings by text here.")]
        if every or chosen:
            return [self._do_cancel(each) for each in ([chosen] if chosen else appointments)]
        found = self._matching(text, when, services)
        if not found:
            named = services[0].name if services else wording.say_day(when.day) if when.day else "that"
            mine = wording.listed([wording.say_appointment(each) for each in appointments])
            return [Say(text=f"I don't see {named} among your bookings. You have {mine}.")]
        if len(found) > 1:
            if self.mentioned is not None and self.mentioned in found and not services and not when:
                return [self._do_cancel(self.mentioned)]
            question = wording.ask_which("cancel", found)
            return [Ask(text=question, pending=Pending(verb="cancel", is_which=True))]
        return [self._do_cancel(found[0])]

    def _do_cancel(self, appointment: Appointment) -> Step:
        what = wording.say_appointment(appointment)
        return Do(tool="cancel_appointment", arguments={"appointment_id": appointment.id}, service=what)

    def _matching(self, text: str, when: When, services: tuple[Service, ...]) -> list[Appointment]:
        found = [each for each in self.facts.appointments if re.search(rf"\b{re.escape(each.id)}\b", text, re.I)]
        if found:
            return found
        names = {service.name.lower() for service in services}
        found = [each for each in self.facts.appointments if not names or each.service.lower() in names]
        if when.names_day:
            found = [each for each in found if each.starts_at.date() == when.day]
        if when.clock and len(found) > 1:
            found = [each for each in found if each.starts_at.time().replace(tzinfo=None) == when.clock] or found
        return found

    def aim(self, text: str) -> Appointment | None:
        """The appointment a text is about: named, the only one, or the one we last spoke of."""
        appointments = self.facts.appointments
        if len(appointments) == 1:
            return appointments[0]
        named = [each for each in appointments if each.service.lower() in text.lower()]
        if len(named) == 1:
            return named[0]
        if origin := ORIGIN.search(text):
            was = find_when(origin[1], self.facts.now, self.facts.hours)
            fits = [
                each
                for each in named or appointments
                if (was.clock and each.starts_at.time() == was.clock)
                or (was.names_day and each.starts_at.date() == was.day)
            ]
            if len(fits) == 1:
                return fits[0]
        for each in appointments:
            if re.search(rf"\b{re.escape(each.id)}\b", text):
                return each
        return self.mentioned if not named or self.mentioned in named else None

    def _problem(self, at: datetime, *, is_past: bool) -> str:
        if is_past or at <= self.facts.now.replace(tzinfo=None):
            return "That time has passed."
        if self.facts.is_open(at):
            return ""
        opening = self.facts.opening_on(at.date())
        if not opening:
            return f"Sorry, we're closed on {wording.say_day(at)}."
        return f"Sorry, on {wording.say_day(at)} we're open {wording.say_opening(opening)}."


ORDER = (("last", -1), ("first", 0), ("1st", 0), ("second", 1), ("2nd", 1), ("third", 2), ("3rd", 2))


def by_order(text: str, appointments: Sequence[Appointment]) -> Appointment | None:
    """ "The second one"."""
    at = next((at for word, at in ORDER if re.search(rf"\b{word}\b", text, re.I)), None)
    return None if at is None or at >= len(appointments) else appointments[at]


def means_all(text: str) -> bool:
    return re.search(r"\b(?:all|both|everything)\b", text, re.I) is not None


def shifted(said: re.Match[str]) -> timedelta:
    count = said["count"] or said["count2"]
    unit = said["unit"] or said["unit2"]
    amount = 0.5 if count.startswith("half") else number(count)
    minutes = amount * (60 if unit.startswith("h") else 1)
    way = said["way"] or said["way2"]
    return timedelta(minutes=-minutes if way in ("earlier", "forward", "sooner", "ahead", "up") else minutes)
