"""Trouble that somebody ordered: what goes wrong, with which requests, messages or webhooks, and how often."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Generic, TypedDict, TypeVar

from replyline.clock import Clock
from replyline.errors import ReplylineError
from replyline.simulator.account import Message
from replyline.simulator.mishaps import Fate, Fault, RestRequest, WebhookFault, WebhookRequest

Facts = RestRequest | Message | WebhookRequest
Wrong = TypeVar("Wrong", Fault, Fate, WebhookFault)
KINDS = {Fault: "REST requests", Fate: "messages", WebhookFault: "webhooks"}
FOREIGN = {
    Fault: ("status", "is_inbound"),
    Fate: ("path", "method", "status", "is_inbound"),
    WebhookFault: ("method",),
}  # the places of each kind that say nothing about it
SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")


class BadTrouble(ReplylineError):
    """Nothing can go wrong like this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble(Generic[Wrong]):
    """What goes wrong, with whom, and how often. A place that is none fits everything. Raises `BadTrouble`."""

    what: Wrong
    times: int | None = None  # then it has worn out; none: until it is cleared
    lasts: float | None = None  # seconds from now
    share: float = 1.0  # of those that fit: a probability
    seed: int = 0  # the same seed gives each phone the same luck again
    to: str | None = None
    sender: str | None = None
    path: str | None = None  # a part of the request's path, or of the webhook's URL
    method: str | None = None  # of a request
    status: str | None = None  # of a status callback
    is_inbound: bool | None = None  # webhooks: of texts that arrive, or status callbacks

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise BadTrouble(f"A share is a probability from 0 to 1; {self.share} is not.")
        if (self.times is not None and self.times < 1) or (self.lasts is not None and self.lasts <= 0):
            raise BadTrouble("Trouble strikes at least once and lasts longer than no time.")
        foreign = [place for place in FOREIGN[type(self.what)] if getattr(self, place) is not None]
        if foreign:
            raise BadTrouble(f"'{foreign[0]}' does not tell {KINDS[type(self.what)]} apart; leave it out.")


class Which(TypedDict, total=False):
    """The places of `Trouble` besides what goes wrong."""

    times: int | None
    lasts: float | None
    share: float
    seed: int
    to: str | None
    sender: str | None
    path: str | None
    method: str | None
    status: str | None
    is_inbound: bool | None


@dataclass(kw_only=True)
class Standing(Generic[Wrong]):
    """Trouble that stands, as one of the rules that are asked."""

    id: str
    trouble: Trouble[Wrong]
    clock: Clock
    until: datetime | None
    left: int | None
    _seen: Counter[str] = field(default_factory=Counter)

    @property
    def is_over(self) -> bool:
        return self.left == 0 or (self.until is not None and self.clock.now() >= self.until)

    def __call__(self, facts: Facts) -> Wrong | None:
        if self.is_over or not fits(self.trouble, facts) or not self._strikes(facts):
            return None
        if self.left is not None:
            self.left -= 1
        return self.trouble.what

    def _strikes(self, facts: Facts) -> bool:
        """Drawn for each phone by itself: what happens to others at the same moment changes nobody's luck."""
        trouble = self.trouble
        if trouble.share >= 1:
            return True
        stream = stream_of(facts)
        self._seen[stream] += 1
        draw = Random(f"{trouble.seed} {trouble.what} {stream} {self._seen[stream]}")  # noqa: S311  # to be replayed
        return draw.random() < trouble.share


def fits(trouble: Trouble[Wrong], facts: Facts) -> bool:
    """Whether trouble is meant for this one."""
    sender, to = pair_of(facts)
    if (trouble.to or to) != to or (trouble.sender or sender) != sender:
        return False
    if isinstance(facts, RestRequest):
        return (trouble.method or facts.method) == facts.method and (trouble.path or "") in facts.path
    if isinstance(facts, WebhookRequest):
        is_inbound = facts.status is None
        return (
            (trouble.path or "") in facts.url
            and trouble.is_inbound in (None, is_inbound)
            and trouble.status in (None, facts.status)
        )
    return True


def stream_of(facts: Facts) -> str:
    """What is alike, whatever SIDs, ports and ids of texts it carries this time."""
    sender, to = pair_of(facts)
    if isinstance(facts, RestRequest):
        return f"{facts.method} {SID.sub('', facts.path)} {sender} {to}"
    if isinstance(facts, WebhookRequest):
        return f"{facts.path} {facts.status} {sender} {to}"
    return f"{sender} {to}"


def pair_of(facts: Facts) -> tuple[str | None, str | None]:
    if isinstance(facts, Message):
        return facts.sender, facts.to
    return facts.fields.get("From") or facts.fields.get("MessagingServiceSid"), facts.fields.get("To")
