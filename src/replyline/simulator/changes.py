"""Who wants to see what happens on Twilio's side: the phone page, and tests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What happened."""

    RECEIVED = "received"  # a phone's text has reached Twilio
    STATUS = "status"  # an outbound message is now `status`
    ON_PHONE = "on_phone"  # a phone shows a text
    AUTOMATIC_ANSWER = "automatic_answer"  # Twilio answered STOP, START or HELP by itself
    OPTED_OUT = "opted_out"  # Twilio blocks this phone and sender
    OPTED_IN = "opted_in"
    WEBHOOK = "webhook"  # our server was called about a text; `status` is what it answered
    CALLBACK = "callback"  # our server was told a status; `status` is that status
    ALERT = "alert"  # `status` is the error's code


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Something that happened on Twilio's side."""

    kind: Kind
    sid: str | None
    sender: str | None
    to: str
    status: str
    at: datetime


Listener = Callable[[Change], None]


@dataclass
class Changes:
    listeners: list[Listener] = field(default_factory=list)

    def announce(self, change: Change) -> None:
        for listener in list(self.listeners):
            listener(change)
