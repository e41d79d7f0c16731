"""What the simulator's parts share: the account, the clock, the wire to our server, and the phones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from replyline.clock import Clock
from replyline.simulator.account import Account, Message
from replyline.simulator.background import Background
from replyline.simulator.billing import Billing
from replyline.simulator.changes import Change, Changes, Kind
from replyline.simulator.faults import Faults
from replyline.simulator.holding import Holding
from replyline.simulator.mishaps import WebhookFault, WebhookRequest
from replyline.simulator.new_message import Policy
from replyline.simulator.opt_outs import OptOuts
from replyline.simulator.pacing import Lanes
from replyline.simulator.webhooks import Answer, Webhooks


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryTimes:
    """How long an outbound message takes, in seconds."""

    until_sent: float = 0.15
    until_delivered: float = 0.4  # after it was sent


INSTANT = DeliveryTimes(until_sent=0, until_delivered=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedText:
    """A text on a phone's screen. `sid` is none for what Twilio answers by itself."""

    body: str
    sender: str
    media_urls: tuple[str, ...]
    sid: str | None
    at: datetime


class Screen(Protocol):
    """Where a phone's texts appear."""

    def show(self, text: ReceivedText) -> None: ...


@dataclass(kw_only=True)
class Exchange:
    account: Account
    clock: Clock
    times: DeliveryTimes
    faults: Faults
    webhooks: Webhooks
    background: Background
    holding: Holding
    policy: Policy
    lanes: Lanes
    billing: Billing
    url: str  # where this Twilio is reached
    screen_of: Callable[[str], Screen]  # by phone number
    opt_outs: OptOuts = field(default_factory=OptOuts)
    changes: Changes = field(default_factory=Changes)

    def fault_of(self, url: str, fields: Mapping[str, str]) -> WebhookFault:
        """What goes wrong with a webhook; with most, nothing."""
        return self.faults.of_webhook(WebhookRequest(url=url, fields=fields)) or WebhookFault()

    async def call(
        self, url: str, method: str, fields: Mapping[str, str], *, kind: Kind, message: Message, fault: WebhookFault
    ) -> Answer:
        """Call our server about a message, and let those who watch see it."""
        stream = message.sid if kind is Kind.CALLBACK else f"{message.sender} {message.to}"
        place = await self.holding.hold(fault, stream)
        answer = await self.webhooks.call(url, method, fields, fault)
        if fault.copies:
            self.holding.told(stream, place)
        self.announce(kind, message, str(answer.status) if kind is Kind.WEBHOOK else fields["MessageStatus"])
        if answer.error_code:
            self.alert(answer.error_code, url=answer.url, message=message)
        return answer

    def alert(self, code: int, *, url: str, message: Message) -> None:
        self.account.alert(code, url=url, message_sid=message.sid)
        self.announce(Kind.ALERT, message, str(code))

    def announce(self, kind: Kind, message: Message, status: str) -> None:
        self.tell(kind, sid=message.sid, sender=message.sender, to=message.to, status=status)

    def tell(self, kind: Kind, *, sid: str | None, sender: str | None, to: str, status: str) -> None:
        self.changes.announce(Change(kind=kind, sid=sid, sender=sender, to=to, status=status, at=self.clock.now()))

    def show(self, phone: str, *, sender: str, body: str, media_urls: tuple[str, ...] = (), sid: str | None) -> None:
        """Put a text on a phone's screen."""
        text = ReceivedText(body=body, sender=sender, media_urls=media_urls, sid=sid, at=self.clock.now())
        self.screen_of(phone).show(text)
        self.tell(Kind.ON_PHONE, sid=sid, sender=sender, to=phone, status=Kind.ON_PHONE)
