"""Decides what each text of a person needs: an action, an answer, or a question back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import time

from replyline.llm.scripted import wording
from replyline.llm.scripted.bookings import Bookings, by_order, means_all
from replyline.llm.scripted.clauses import SOFT_CANCEL, clauses
from replyline.llm.scripted.intents import Intent, intents_of
from replyline.llm.scripted.pending import Pending, last_mentioned, pending_in
from replyline.llm.scripted.questions import ASKED, answers
from replyline.llm.scripted.record import Facts, Service
from replyline.llm.scripted.small_talk import small_talk
from replyline.llm.scripted.steps import Ask, Say, Step
from replyline.llm.scripted.when import When, find_when

Spoken = Sequence[tuple[str, str]]  # by whom, and the text


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """One wish, as understood."""

    text: str
    intents: frozenset[Intent]
    services: tuple[Service, ...]
    when: When


def plan(facts: Facts, tools: Collection[str], history: Spoken, texts: Sequence[str]) -> list[Step]:
    """What to do and say about these new texts, in order. The same texts always give the same plan."""
    talk = Talk(facts, tools, history)
    for text in texts:
        for clause in clauses(text, facts.services):
            talk.hear(clause)
    return talk.steps


class Talk:
    """Goes through the texts with what is still open in mind."""

    def __init__(self, facts: Facts, tools: Collection[str], history: Spoken) -> None:
        self.facts = facts
        self.steps: list[Step] = []
        self.before, ours = last_exchange(history)
        self.pending = pending_in(ours, facts)
        self.topic = self._only_service(ours) or self._only_service(self.before)
        self.bookings = Bookings(facts, tools, mentioned=last_mentioned([text for _, text in history], facts))

    def hear(self, text: str) -> None:
        heard = self._understand(text)
        steps = self._respond(heard)
        if self.steps and isinstance(self.steps[-1], Ask) and not is_chat(steps):
            self.steps.pop()  # answered before it was sent, or asked again further on
        self.steps.extend(steps)
        if steps and isinstance(steps[-1], Ask):
            self.pending = steps[-1].pending
        elif not is_chat(steps):
            self.pending = None
        self.topic = heard.services[0].name if len(heard.services) == 1 else self.topic
        self.before = f"{self.before} {text}"

    def _understand(self, text: str) -> Heard:
        intents, pending = intents_of(text), self.pending
        is_moving = Intent.MOVE in intents or (pending is not None and pending.verb == "move")
        old = self.bookings.aim(text) if is_moving else None
        near = old.starts_at.time() if old else None
        if pending is None:
            return self._heard(text, intents, self._when(text, near=near, was_asked=is_moving))
        near, was_asked = pending.near or near, is_moving or pending.verb == "book"
        said = f"{text} in the {pending.part}" if pending.part else text
        when = self._when(said, near=near, was_asked=was_asked, offered=pending.offered)
        if when.clock and not when.names_day and pending.day:
            said = f"{said} on {wording.say_day(pending.day)}"
            when = self._when(said, near=near, was_asked=was_asked, offered=pending.offered)
        return self._heard(text, intents, when)

    def _when(self, text: str, *, near: time | None, was_asked: bool = False, offered: tuple[time, ...] = ()) -> When:
        facts = self.facts
        return find_when(text, facts.now, facts.hours, near=near, was_asked=was_asked, offered=offered)

    def _heard(self, text: str, intents: frozenset[Intent], when: When) -> Heard:
        return Heard(text=text, intents=intents, services=self.facts.services_in(text), when=when)

    def _only_service(self, text: str) -> str | None:
        found = self.facts.services_in(text)
        return found[0].name if len(found) == 1 else None

    def _respond(self, heard: Heard) -> list[Step]:
        pending, intents = self.pending, heard.intents
        if pending and Intent.NO in intents and not (heard.when or heard.services or Intent.MOVE in intents):
            return [Say(text="OK, I left everything as it was.")]
        if pending and pending.is_which and not intents.intersection(ASKED):
            return self._which(pending, heard)
        told = answers(intents, heard.services, heard.when, self.facts, topic=self.topic)
        informing: list[Step] = [Say(text=text) for text in told]
        acting = self._act(heard, is_informed=bool(informing))
        if acting or not (informing or pending):
            return [*informing, *acting] or small_talk(intents, self.facts)
        if pending is None:
            return informing
        again: list[Step] = [Ask(text=pending.question, pending=pending)] if pending.question else []
        return [*(informing or small_talk(intents, self.facts, is_waiting=True)), *again]

    def _which(self, pending: Pending, heard: Heard) -> list[Step]:
        """Their answer to "which one?", with the wish from the text before it."""
        chosen = by_order(heard.text, self.facts.appointments)
        if pending.verb == "cancel":
            every = means_all(heard.text)
            return self.bookings.cancel(heard.text, heard.when, heard.services, every=every, chosen=chosen)
        chosen = chosen or self.bookings.aim(heard.text)
        near = chosen.starts_at.time() if chosen else None
        return self.bookings.move(heard.text, self._when(self.before, near=near, was_asked=True), chosen)

    def _act(self, heard: Heard, *, is_informed: bool) -> list[Step]:
        intents, pending, when = heard.intents, self.pending, heard.when
        if Intent.CANCEL in intents and (soft := SOFT_CANCEL.search(heard.text)) and self.facts.appointments:
            return self._instead(heard, heard.text[soft.end() :])
        if Intent.CANCEL in intents:
            return self.bookings.cancel(heard.text, when, heard.services, every=means_all(heard.text))
        if Intent.MOVE in intents and (self.facts.appointments or not pending):
            return self.bookings.move(heard.text, when, None, pending)
        if pending and pending.verb == "move" and when:
            return self.bookings.move(heard.text, when, pending.appointment, pending)
        if self._is_booking(heard, is_informed):
            is_offer = Intent.ASK_IF_FREE in intents and Intent.BOOK not in intents and pending is None
            return self.bookings.book(self._wish(heard), when, is_offer=is_offer)
        return []

    def _instead(self, heard: Heard, rest: str) -> list[Step]:
        """ "I can't make it at 6, can I come at 7 instead?" """
        old = self.bookings.aim(heard.text)
        when = self._when(rest, near=old.starts_at.time() if old else None, was_asked=True)
        if when or Intent.MOVE in heard.intents:
            return self.bookings.move(heard.text, when, old)
        return self.bookings.cancel(heard.text, heard.when, heard.services, every=False)

    def _is_booking(self, heard: Heard, is_informed: bool) -> bool:
        intents, names_something = heard.intents, bool(heard.when or heard.services)
        if Intent.BOOK in intents:
            return not is_informed or bool(heard.when)
        if is_informed or Intent.BYE in intents or Intent.LATE in intents:
            return False
        if self.pending and self.pending.verb == "book":
            return names_something or Intent.YES in intents
        if Intent.ASK_IF_FREE in intents:
            return names_something
        is_short = len(heard.text.split()) <= 6
        return bool(heard.when and heard.services) or (is_short and names_something)

    def _wish(self, heard: Heard) -> Pending:
        """What is known of the booking so far: from this text, what was pending, and what we talked about."""
        pending = self.pending if self.pending and self.pending.verb == "book" else Pending(verb="book")
        when = heard.when
        return replace(
            pending,
            service=self._service(heard, pending),
            day=when.day if when.names_day or pending.day is None else pending.day,
            clock=when.clock or pending.clock,
            part=when.part or pending.part,
        )

    def _service(self, heard: Heard, pending: Pending) -> str | None:
        if len(heard.services) == 1:
            return heard.services[0].name
        if heard.services:
            return pending.service
        if len(self.facts.services) == 1:
            return self.facts.services[0].name
        return pending.service or self.topic or (None if self.facts.services else wording.DEFAULT_SERVICE)


def last_exchange(history: Spoken) -> tuple[str, str]:
    """Our last text, and before it what theirs was that it answered."""
    ours = next((at for at in range(len(history) - 1, -1, -1) if history[at][0] == "us"), None)
    if ours is None:
        return " ".join(text for _, text in history), ""
    theirs: list[str] = []
    for by, text in reversed(history[:ours]):
        if by == "us":
            break
        theirs.insert(0, text)
    return " ".join(theirs), history[ours][1]


def is_chat(steps: Sequence[Step]) -> bool:
    return all(isinstance(step, Say) and step.is_small_talk for step in steps)
