"""What an action is handed besides the model's arguments."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from replyline.clock import Clock
from replyline.db import Db

if TYPE_CHECKING:
    from replyline.plugins.line import Line


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """The person we are texting with, as the webhook and our records know them. Never from the model."""

    id: str
    phone: str  # E.164
    name: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextRequest:
    """What a `@line.context` function is handed: who is texting, and the means to look things up."""

    contact: Contact
    line: "Line"
    clock: Clock
    db: Db

    @property
    def now(self) -> datetime:
        """The time it is, in the line's time zone."""
        return self.clock.now().astimezone(ZoneInfo(self.line.timezone))


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionContext(ContextRequest):
    """What an action is handed: who is texting, in which turn, and the key that makes a second call harmless."""

    turn: str
    conversation: str
    # The same at every call of this action in this turn, also after a crash; different for every other call.
    once: str
    # What a person decided after `Pause`: none before they were asked.
    decision: bool | None = None
