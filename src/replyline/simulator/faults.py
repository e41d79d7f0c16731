"""What goes wrong on demand: the one place that decides each REST answer, each message's fate and each webhook's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar, Unpack

from replyline.clock import Clock, SystemClock
from replyline.simulator.account import Message
from replyline.simulator.mishaps import UNAVAILABLE, Fate, Fault, RestRequest, WebhookFault, WebhookRequest
from replyline.simulator.trouble import BadTrouble, Standing, Trouble, Which, Wrong

Facts = TypeVar("Facts")
Answer = TypeVar("Answer")
CREATE = "/Messages.json"


@dataclass
class Faults:
    """Each list is asked in its order; the first that answers decides, and without one all goes well.

    A rule is any function of what there is to decide about, or `Trouble`, which can be listed and taken back:

        faults.next_creates(THROTTLED, times=3, to="+12125550123")
        faults.on_requests(Fault.slow(5), path="/Media/", share=0.1, seed=7)
        faults.on_messages(UNREACHABLE, to="+12125550123")
        faults.on_webhooks(WebhookFault.late(4), status="delivered")
        faults.clear()
    """

    of_requests: list[Callable[[RestRequest], Fault | None]] = field(default_factory=list)
    of_messages: list[Callable[[Message], Fate | None]] = field(default_factory=list)
    of_webhooks: list[Callable[[WebhookRequest], WebhookFault | None]] = field(default_factory=list)
    clock: Clock = field(default_factory=SystemClock)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def next_creates(self, fault: Fault, **which: Unpack[Which]) -> Standing[Fault]:
        """Let the next request to send a message go wrong; `times` is how many."""
        which.setdefault("times", 1)
        which.setdefault("method", "POST")
        which.setdefault("path", CREATE)
        return self.on_requests(fault, **which)

    def next_messages(self, fate: Fate, **which: Unpack[Which]) -> Standing[Fate]:
        """Decide where the next outbound message ends; `times` is how many."""
        which.setdefault("times", 1)
        return self.on_messages(fate, **which)

    def next_webhooks(self, fault: WebhookFault, **which: Unpack[Which]) -> Standing[WebhookFault]:
        """Let the next webhook, of either kind, go wrong; `times` is how many."""
        which.setdefault("times", 1)
        return self.on_webhooks(fault, **which)

    def on_requests(self, fault: Fault, **which: Unpack[Which]) -> Standing[Fault]:
        """Let REST requests go wrong until it is cleared, or as `which` says."""
        return self.add(Trouble(what=fault, **which))

    def on_messages(self, fate: Fate, **which: Unpack[Which]) -> Standing[Fate]:
        """Decide where outbound messages end until it is cleared, or as `which` says."""
        return self.add(Trouble(what=fate, **which))

    def on_webhooks(self, fault: WebhookFault, **which: Unpack[Which]) -> Standing[WebhookFault]:
        """Let webhooks go wrong until it is cleared, or as `which` says."""
        return self.add(Trouble(what=fault, **which))

    def outage(self, fault: Fault = UNAVAILABLE, *, lasts: float | None = None) -> None:
        """Twilio is away: each request fails like this, and our server is not called, so that what people write
        meanwhile is found in the message list alone. `lasts` are seconds; without it, until it is cleared."""
        self.on_requests(fault, lasts=lasts)
        self.on_webhooks(WebhookFault.LOST, lasts=lasts)

    def at_random(
        self,
        *,
        seed: int,
        requests: Mapping[Fault, float] | None = None,
        messages: Mapping[Fate, float] | None = None,
        webhooks: Mapping[WebhookFault, float] | None = None,
    ) -> None:
        """Give each request, message and webhook one of these faults with its probability, from one seed.

            faults.at_random(
                seed=7,
                requests={THROTTLED: 0.02, DROPPED_AFTER_ACCEPTING: 0.01, Fault.slow(3): 0.05},
                messages={UNREACHABLE: 0.05, STAYS_SENT: 0.1},
                webhooks={WebhookFault.LOST: 0.01, WebhookFault.TWICE: 0.05, WebhookFault.late(2): 0.05},
            )

        The same seed makes the same things go wrong again: luck is drawn for each phone by itself, in the order of
        its own requests, messages and webhooks, whatever others do at the same moment.
        """
        every: list[Mapping[Any, float]] = [requests or {}, messages or {}, webhooks or {}]
        for trouble in [each for chances in every for each in as_trouble(seed, chances)]:
            self.add(trouble)

    def add(self, trouble: Trouble[Wrong]) -> Standing[Wrong]:
        """Let trouble stand, behind what stands already. Its `id` takes it back."""
        until = None if trouble.lasts is None else self.clock.now() + timedelta(seconds=trouble.lasts)
        standing = Standing(id=str(next(self._ids)), trouble=trouble, clock=self.clock, until=until, left=trouble.times)
        rules: list[Any] = self._list_of(trouble)
        rules[:] = [*(rule for rule in rules if not (isinstance(rule, Standing) and rule.is_over)), standing]
        return standing

    def standing(self) -> list[Standing[Any]]:
        """The trouble that is not over yet, in the order it came. Rules that are mere functions are not among it."""
        rules: list[Any] = [*self.of_requests, *self.of_messages, *self.of_webhooks]
        found = [rule for rule in rules if isinstance(rule, Standing) and not rule.is_over]
        return sorted(found, key=lambda each: int(each.id))

    def clear(self, id: str | None = None) -> None:
        """All goes well again; with an id, that one trouble is over."""
        every: list[list[Any]] = [self.of_requests, self.of_messages, self.of_webhooks]
        for rules in every:
            rules[:] = [rule for rule in rules if id is not None and getattr(rule, "id", None) != id]

    def of_request(self, request: RestRequest) -> Fault | None:
        return first_answer(self.of_requests, request)

    def of_message(self, message: Message) -> Fate:
        return first_answer(self.of_messages, message) or Fate()

    def of_webhook(self, request: WebhookRequest) -> WebhookFault | None:
        return first_answer(self.of_webhooks, request)

    def _list_of(self, trouble: Trouble[Any]) -> list[Any]:
        if isinstance(trouble.what, Fault):
            return self.of_requests
        return self.of_messages if isinstance(trouble.what, Fate) else self.of_webhooks


def first_answer(rules: list[Callable[[Facts], Answer | None]], facts: Facts) -> Answer | None:
    return next((answer for rule in list(rules) if (answer := rule(facts)) is not None), None)


def as_trouble(seed: int, chances: Mapping[Any, float]) -> list[Trouble[Any]]:
    """What goes wrong with its probability, as trouble that is asked one after the other. Raises `BadTrouble`."""
    made, left = [], 1.0
    for what, share in chances.items():
        if not 0 <= share <= left + 1e-9:
            raise BadTrouble("Each probability is from 0 to 1, and those of one kind are at most 1 together.")
        # The ones before it are asked first: of what they leave, a larger share is the same share of all.
        made.append(Trouble(what=what, share=min(share / left, 1) if left > 0 else 0, seed=seed))
        left -= share
    return made
