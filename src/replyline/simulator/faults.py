"""What goes wrong on demand: the one place that decides each REST answer, each message's fate and each webhook's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from replyline.simulator.account import Message, Status

Facts = TypeVar("Facts")
Wrong = TypeVar("Wrong")


class Ending(StrEnum):
    """How a REST request ends."""

    ANSWER = "answer"
    DROP = "drop"  # the connection closes and no answer comes
    SILENCE = "silence"  # the connection stays open and no answer comes


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What goes wrong with one REST request."""

    is_done: bool = False  # whether Twilio did what was asked all the same
    ending: Ending = Ending.ANSWER
    status: int = 500  # of the answer, when one comes
    code: int = 20500


THROTTLED = Fault(status=429, code=20429)  # not done, and safe to ask again
BROKEN = Fault(status=500, code=20500)
BROKEN_AFTER_ACCEPTING = Fault(status=500, code=20500, is_done=True)
DROPPED = Fault(ending=Ending.DROP)
DROPPED_AFTER_ACCEPTING = Fault(ending=Ending.DROP, is_done=True)
SILENT = Fault(ending=Ending.SILENCE)
SILENT_AFTER_ACCEPTING = Fault(ending=Ending.SILENCE, is_done=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """Where an outbound message ends."""

    status: Status = Status.DELIVERED  # or SENT for ever, UNDELIVERED, FAILED
    error_code: int | None = None


class WebhookFault(StrEnum):
    """What goes wrong with one webhook."""

    LOST = "lost"  # it is never sent
    TWICE = "twice"  # it is sent, and sent again


@dataclass(frozen=True, kw_only=True, slots=True)
class RestRequest:
    """What a fault may look at in a REST request."""

    method: str
    path: str
    fields: Mapping[str, str]

    @property
    def is_create(self) -> bool:
        return self.method == "POST" and self.path.endswith("/Messages.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRequest:
    """What a fault may look at in a webhook."""

    url: str
    fields: Mapping[str, str]


@dataclass
class Faults:
    """Each list is asked in its order; the first that answers decides, and without one all goes well."""

    of_requests: list[Callable[[RestRequest], Fault | None]] = field(default_factory=list)
    of_messages: list[Callable[[Message], Fate | None]] = field(default_factory=list)
    of_webhooks: list[Callable[[WebhookRequest], WebhookFault | None]] = field(default_factory=list)

    def next_creates(self, fault: Fault, *, times: int = 1) -> None:
        """Let the next requests to send a message go wrong."""
        self.of_requests.append(at_most(times, lambda request: fault if request.is_create else None))

    def next_messages(self, fate: Fate, *, times: int = 1) -> None:
        """Decide where the next outbound messages end."""
        self.of_messages.append(at_most(times, lambda _: fate))

    def next_webhooks(self, fault: WebhookFault, *, times: int = 1) -> None:
        """Let the next webhooks, of either kind, go wrong."""
        self.of_webhooks.append(at_most(times, lambda _: fault))

    def clear(self) -> None:
        """All goes well again."""
        self.of_requests.clear()
        self.of_messages.clear()
        self.of_webhooks.clear()

    def of_request(self, request: RestRequest) -> Fault | None:
        return first_answer(self.of_requests, request)

    def of_message(self, message: Message) -> Fate:
        return first_answer(self.of_messages, message) or Fate()

    def of_webhook(self, request: WebhookRequest) -> WebhookFault | None:
        return first_answer(self.of_webhooks, request)


def at_most(times: int, decide: Callable[[Facts], Wrong | None]) -> Callable[[Facts], Wrong | None]:
    """The same decision, which wears out."""
    left = times

    def decide_some(facts: Facts) -> Wrong | None:
        nonlocal left
        wrong = decide(facts) if left > 0 else None
        left -= wrong is not None
        return wrong

    return decide_some


def first_answer(deciders: list[Callable[[Facts], Wrong | None]], facts: Facts) -> Wrong | None:
    return next((wrong for decide in list(deciders) if (wrong := decide(facts)) is not None), None)
