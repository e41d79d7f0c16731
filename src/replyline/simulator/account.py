"""What the account holds: messages, media, numbers and messaging services."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from secrets import token_hex
from typing import Any

from replyline.clock import Clock
from replyline.errors import ReplylineError
from replyline.phone_numbers import SenderKind, sender_kind


class NotOurNumber(ReplylineError):
    """The simulated account has no such number; give it one with `add_number`."""


class Status(StrEnum):
    """How far a message has come, in Twilio's words."""

    ACCEPTED = "accepted"  # with a messaging service, before a sender is chosen
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENT = "sent"  # the nearest carrier took it
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"  # the carrier says no
    FAILED = "failed"  # it never left Twilio
    CANCELED = "canceled"
    RECEIVED = "received"  # inbound


IN_PROGRESS = {Status.ACCEPTED, Status.SCHEDULED, Status.QUEUED}


class Direction(StrEnum):
    """Who caused a message."""

    INBOUND = "inbound"
    API = "outbound-api"
    REPLY = "outbound-reply"  # made by TwiML


@dataclass(frozen=True, kw_only=True, slots=True)
class Media:
    """One picture or file. Twilio has the content of inbound ones; of outbound ones we know where they come from."""

    sid: str
    content_type: str
    created_at: datetime
    content: bytes = b""
    source_url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message as Twilio has it."""

    sid: str
    direction: Direction
    sender: str | None  # none until a messaging service has chosen
    to: str
    body: str
    status: Status
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    segments: int = 0
    media: tuple[Media, ...] = ()
    messaging_service_sid: str | None = None
    status_callback: str | None = None
    send_at: datetime | None = None
    validity_seconds: int = 36_000
    error_code: int | None = None
    is_refunded: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """A phone number or short code of the account, and what Twilio calls when it is texted."""

    sid: str
    address: str
    created_at: datetime
    updated_at: datetime
    friendly_name: str = ""
    sms_url: str = ""
    sms_method: str = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: str = "POST"
    status_callback: str = ""
    can_mms: bool = True

    @property
    def kind(self) -> SenderKind:
        return sender_kind(self.address)


@dataclass(frozen=True, kw_only=True, slots=True)
class MessagingService:
    """A pool of senders with settings of its own."""

    sid: str
    friendly_name: str
    senders: tuple[str, ...]
    inbound_request_url: str = ""
    inbound_method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    use_inbound_webhook_on_number: bool = False
    status_callback: str = ""
    advanced_opt_out: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """A line in Twilio's debugger: something about our side did not work."""

    code: int
    url: str
    message_sid: str | None
    at: datetime


@dataclass
class Account:
    """The state. Records are frozen; `change` puts a new one in the old one's place."""

    sid: str
    clock: Clock
    created_at: datetime
    messages: dict[str, Message] = field(default_factory=dict)
    numbers: dict[str, Number] = field(default_factory=dict)  # by address
    services: dict[str, MessagingService] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    order: dict[str, int] = field(default_factory=dict)  # of all messages there ever were: pages begin after one
    sticky: dict[tuple[str, str], str] = field(default_factory=dict)  # a service's sender for a phone

    def new_sid(self, prefix: str) -> str:
        """A SID that was never there before, not in an earlier life of this account either: a database may remember."""
        return prefix + token_hex(16)

    def add_message(self, *, is_mms: bool = False, **facts: Any) -> Message:
        now = self.clock.now()
        sid = self.new_sid("MM" if is_mms else "SM")
        message = Message(sid=sid, created_at=now, updated_at=now, **facts)
        self.order[sid] = len(self.order)
        self.messages[sid] = message
        return message

    def change(self, message: Message, **changes: Any) -> Message:
        """Put changes into a message; those made to it meanwhile stay, and a deleted one stays deleted."""
        now = self.messages.get(message.sid, message)
        changed = replace(now, updated_at=self.clock.now(), **changes)
        if message.sid in self.messages:
            self.messages[message.sid] = changed
        return changed

    def new_media(self, content_type: str, *, content: bytes = b"", source_url: str | None = None) -> Media:
        return Media(
            sid=self.new_sid("ME"),
            content_type=content_type,
            created_at=self.clock.now(),
            content=content,
            source_url=source_url,
        )

    def number(self, address: str) -> Number:
        """One of our numbers. Raises `NotOurNumber`."""
        try:
            return self.numbers[address]
        except KeyError:
            raise NotOurNumber from None

    def service_of(self, address: str) -> MessagingService | None:
        """The messaging service whose pool holds a sender; it is in one at most."""
        return next((service for service in self.services.values() if address in service.senders), None)

    def media_path(self, message: Message, media: Media) -> str:
        """Where a media's content is, below Twilio's address."""
        return f"{self.message_path(message)}/Media/{media.sid}"

    def message_path(self, message: Message) -> str:
        return f"/2010-04-01/Accounts/{self.sid}/Messages/{message.sid}"

    def alert(self, code: int, *, url: str, message_sid: str | None) -> Alert:
        alert = Alert(code=code, url=url, message_sid=message_sid, at=self.clock.now())
        self.alerts.append(alert)
        return alert

    def newest_first(self) -> Iterable[Message]:
        return reversed(self.messages.values())
