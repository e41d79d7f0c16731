"""Decides what each text of a person needs: an action, an answer, or a question back."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from replyline.llm.scripted import wording
from replyline.llm.scripted.bookings import Bookings
from replyline.llm.scripted.intents import Intent, intents_of
from replyline.llm.scripted.pending import Pending, last_mentioned, pending_in
from replyline.llm.scripted.questions import answers
from replyline.llm.scripted.record import Facts, Service
from replyline.llm.scripted.small_talk import small_talk
from replyline.llm.scripted.steps import Ask, Say, Step
from replyline.llm.scripted.when import When, find_when

# Where one text holds several wishes: "How much is yoga? And can I come at 6?"
CLAUSES = re.compile(
    r"[?!\n;]+\s*|(?<![ap]\.m)\.\s+(?=[a-z]{2,}|I\b)|,? (?:and|also|but) (?=book|cancel|move|can i|what|how|where)",
    re.I,
)
SOFT_CANCEL = re.compile(
    r"\b(?:can'?t|cannot|won'?t|not)\b.{0,20}?\b(?:make|come|able|coming)\b[^,.;?!]*?(?:[,.;?!]|\bcan\b|\bso\b|\bbut\b)",
    re.I,
)
ALL = re.compile(r"\b(?:all|both|everything)\b", re.I)


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """One wish, as understood."""

    text: str
    intents: frozenset[Intent]
    services: tuple[Service, ...]
    when: When


def plan(facts: Facts, tools: Collection[str], history: Sequence[tuple[str, str]], texts: Sequence[str]) -> list[Step]:
    """What to do and say about these new texts, in order. The same texts always give the same plan."""
    talk = Talk(facts, tools, history)
    for text in texts:
        for clause in clauses(text):
            talk.hear(clause)
    return talk.steps


def clauses(text: str) -> list[str]:
    if SOFT_CANCEL.search(text):
        return [text]  # "I can't make it at 6. Can we do 7?" is one wish
    return [clause for clause in CLAUSES.split(text) if re.search(r"\w", clause)] or [text]


class Talk:
    """Goes through the texts with what is still open in mind."""

    def __init__(self, facts: Facts, tools: Collection[str], history: Sequence[tuple[str, str]]) -> None:
        self.facts = facts
        self.steps: list[Step] = []
        ours = next((text for by, text in reversed(history) if by == "us"), "")
        self.pending = pending_in(ours, facts)
        self.before = " ".join(text for by, text in history[-3:] if by == "contact")
        self.topic = self._only_service(ours) or self._only_service(self.before)
        self.bookings = Bookings(facts, tools, mentioned=last_mentioned([text for _, text in history], facts))

    def hear(self, text: str) -> None:
        heard = self._understand(text)
        steps = self._respond(heard)
        if self.pending is not None and self.steps and isinstance(self.steps[-1], Ask) and self._settles(steps):
            self.steps.pop()  # the question was answered before it was sent
        self.steps.extend(steps)
        if steps and isinstance(steps[-1], Ask):
            self.pending = steps[-1].pending
        elif self._settles(steps):
            self.pending = None
        if len(heard.services) == 1:
            self.topic = heard.services[0].name

    def _settles(self, steps: list[Step]) -> bool:
        return any(not (isinstance(step, Say) and step.is_small_talk) for step in steps)

    def _understand(self, text: str) -> Heard:
        pending = self.pending
        intents = intents_of(text)
        old = self.bookings.aim(text) if Intent.MOVE in intents or (pending and pending.verb == "move") else None
        near = old.starts_at.time() if old is not None else None
        if pending is not None and pending.near is not None:
            near = pending.near
        was_asked = (pending is not None and pending.verb != "cancel") or Intent.MOVE in intents
        asked = f"{text} in the {pending.part}" if pending and pending.part else text
        when = find_when(asked, self.facts.now, self.facts.hours, near=near, was_asked=was_asked)
        return Heard(text=text, intents=intents, services=self._services_in(text), when=when)

    def _services_in(self, text: str) -> tuple[Service, ...]:
        words = text.lower()
        return tuple(each for each in self.facts.services if re.search(rf"\b{re.escape(each.name.lower())}", words))

    def _only_service(self, text: str) -> str | None:
        found = self._services_in(text)
        return found[0].name if len(found) == 1 else None

    def _respond(self, heard: Heard) -> list[Step]:
        pending, intents = self.pending, heard.intents
        if pending and Intent.NO in intents and not (heard.when or heard.services or Intent.MOVE in intents):
            self.pending = None
            return [Say(text="OK, I left everything as it was.")]
        if pending and pending.is_which:
            return self._which(pending, heard)
        informing = [Say(text=text) for text in answers(intents, heard.services, heard.when, self.facts)]
        acting = self._act(heard, is_informed=bool(informing))
        return [*informing, *acting] or small_talk(intents, self.facts, pending is not None)

    def _which(self, pending: Pending, heard: Heard) -> list[Step]:
        """Their answer to "which one?", with the wish from the text before it."""
        both = f"{self.before} {heard.text}"
        if pending.verb == "cancel":
            return self.bookings.cancel(heard.text, heard.when, heard.services, every=bool(ALL.search(heard.text)))
        chosen = self.bookings.aim(heard.text)
        near = chosen.starts_at.time() if chosen else None
        when = find_when(self.before, self.facts.now, self.facts.hours, near=near, was_asked=True)
        return self.bookings.move(both if chosen is None else heard.text, when, chosen)

    def _act(self, heard: Heard, *, is_informed: bool) -> list[Step]:
        intents, pending, when = heard.intents, self.pending, heard.when
        if Intent.CANCEL in intents and (rest := SOFT_CANCEL.search(heard.text)) and self.facts.appointments:
            return self._instead(heard, heard.text[rest.end() :])
        if Intent.CANCEL in intents:
            every = bool(ALL.search(heard.text))
            return self.bookings.cancel(heard.text, when, heard.services, every=every)
        if Intent.MOVE in intents and not (pending and pending.verb == "book" and not self.facts.appointments):
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
        near = old.starts_at.time() if old else None
        when = find_when(rest, self.facts.now, self.facts.hours, near=near, was_asked=True)
        if when or Intent.MOVE in heard.intents:
            return self.bookings.move(heard.text, when, old)
        return self.bookings.cancel(heard.text, heard.when, heard.services, every=False)

    def _is_booking(self, heard: Heard, is_informed: bool) -> bool:
        intents, when = heard.intents, heard.when
        if Intent.BOOK in intents:
            return not is_informed or bool(when)
        if is_informed:
            return False
        if self.pending and self.pending.verb == "book":
            return bool(when or heard.services or Intent.YES in intents)
        if Intent.ASK_IF_FREE in intents:
            return bool(when or heard.services)
        is_short = len(heard.text.split()) <= 6
        return bool(when and heard.services) or (is_short and bool(when or heard.services))

    def _wish(self, heard: Heard) -> Pending:
        """What is known of the booking so far: from this text, what was pending, and what we talked about."""
        pending = self.pending if self.pending and self.pending.verb == "book" else Pending(verb="book")
        services = [each.name for each in heard.services]
        if len(services) == 1:
            service: str | None = services[0]
        elif services or len(self.facts.services) != 1:
            service = pending.service or (None if services else self.topic)
        else:
            service = self.facts.services[0].name
        if not self.facts.services:
            service = service or wording.DEFAULT_SERVICE
        when = heard.when
        day = when.day if when.names_day or pending.day is None else pending.day
        return Pending(
            verb="book", service=service, day=day, clock=when.clock or pending.clock, part=when.part or pending.part
        )
