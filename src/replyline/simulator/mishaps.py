"""What can go wrong: with a REST request, with a message on its way, with a webhook."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from urllib.parse import urlsplit

from replyline.simulator.account import Status
from replyline.simulator.refusals import REFUSALS


class Ending(StrEnum):
    """How a REST request ends."""

    ERROR = "error"  # with an answer that says no
    SLOW = "slow"  # with the usual answer, late
    DROP = "drop"  # the connection closes and no answer comes
    SILENCE = "silence"  # the connection stays open and no answer comes


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What goes wrong with one REST request."""

    is_done: bool = False  # whether Twilio did what was asked all the same
    ending: Ending = Ending.ERROR
    status: int = 500  # of the answer that says no
    code: int = 20500
    seconds: float = 0  # before Twilio does what was asked; after it, if it is done
    retry_after: int | None = None  # seconds, for the header

    @classmethod
    def slow(cls, seconds: float, *, after_accepting: bool = False) -> "Fault":
        """All is done as usual, but late. Who has hung up meanwhile does not stop Twilio."""
        return cls(ending=Ending.SLOW, seconds=seconds, is_done=after_accepting)

    @classmethod
    def refused(cls, code: int, *, status: int | None = None) -> "Fault":
        """Twilio says no with this error code: 21614 for a landline, say."""
        return cls(status=status or REFUSALS.get(code, (400, ""))[0], code=code)


THROTTLED = Fault(status=429, code=20429)  # not done, and safe to ask again
BROKEN = Fault(status=500, code=20500)
BROKEN_AFTER_ACCEPTING = Fault(status=500, code=20500, is_done=True)
UNAVAILABLE = Fault(status=503, code=20503)
UNAVAILABLE_AFTER_ACCEPTING = Fault(status=503, code=20503, is_done=True)
DROPPED = Fault(ending=Ending.DROP)
DROPPED_AFTER_ACCEPTING = Fault(ending=Ending.DROP, is_done=True)
SILENT = Fault(ending=Ending.SILENCE)
SILENT_AFTER_ACCEPTING = Fault(ending=Ending.SILENCE, is_done=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """Where an outbound message ends."""

    status: Status = Status.DELIVERED  # or SENT for ever, UNDELIVERED, FAILED
    error_code: int | None = None


DELIVERED = Fate()
STAYS_SENT = Fate(status=Status.SENT)  # many carriers never say more
UNREACHABLE = Fate(status=Status.UNDELIVERED, error_code=30003)  # the phone is off, or out of reach
LANDLINE = Fate(status=Status.UNDELIVERED, error_code=30006)
FILTERED = Fate(status=Status.UNDELIVERED, error_code=30007)  # a carrier took it for spam
OPTED_OUT = Fate(status=Status.FAILED, error_code=21610)  # how a messaging service says it, after accepting


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookFault:
    """What goes wrong with one webhook. Others of its message do not wait for one that is late."""

    copies: int = 1  # none: our server is never called
    at_once: bool = False  # all copies at the same moment, not one after the other
    seconds: float = 0  # how late it is
    is_overtaken: bool = False  # held until the next of the same message or, for a text, of the same phone

    LOST: ClassVar["WebhookFault"]
    TWICE: ClassVar["WebhookFault"]
    TWICE_AT_ONCE: ClassVar["WebhookFault"]
    OVERTAKEN: ClassVar["WebhookFault"]

    @classmethod
    def late(cls, seconds: float) -> "WebhookFault":
        """The webhook comes, but only then."""
        return cls(seconds=seconds)

    @property
    def is_late(self) -> bool:
        return self.seconds > 0 or self.is_overtaken


WebhookFault.LOST = WebhookFault(copies=0)
WebhookFault.TWICE = WebhookFault(copies=2)
WebhookFault.TWICE_AT_ONCE = WebhookFault(copies=2, at_once=True)
WebhookFault.OVERTAKEN = WebhookFault(is_overtaken=True)


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

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def status(self) -> str | None:
        """Of a status callback; none for a text that arrives."""
        return self.fields.get("MessageStatus")
