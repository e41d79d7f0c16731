"""One SMS or MMS, as we store it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """Something attached to a text: where it is, and what it says it is."""

    url: str
    content_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InboundText:
    """A text from a phone, as Twilio's webhook described it, or its list of messages."""

    sid: str
    phone: str  # who wrote: E.164, a short code or a channel address
    our_address: str  # what they wrote to
    body: str
    pictures: tuple[Picture, ...] = ()
    segments: int = 1
    messaging_service_sid: str | None = None
    opt_out_type: str | None = None  # STOP, START or HELP: Advanced Opt-Out has answered already
    fields: dict[str, Any] = field(default_factory=dict)  # everything else Twilio sent, as it was
    received_at: datetime  # when we, or without us Twilio, got it
    found_at: datetime | None = None  # when we found it in Twilio's list: its webhook never reached us

    @property
    def noted_at(self) -> datetime:
        """When we came to know of it."""
        return self.found_at or self.received_at
