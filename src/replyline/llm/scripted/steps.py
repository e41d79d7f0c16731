"""What a turn of the scripted model is made of."""

from dataclasses import dataclass
from datetime import datetime

from replyline.llm.scripted.pending import Pending


@dataclass(frozen=True, kw_only=True, slots=True)
class Say:
    """A sentence for the reply. Small talk is left out when there is anything else to say."""

    text: str
    is_small_talk: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Do:
    """An action, and what we need to speak of it once it has ended."""

    tool: str
    arguments: dict[str, str]
    service: str = ""
    at: datetime | None = None  # the moment it should have been booked for, or moved to
    instead: str = ""  # the question to ask when it was refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A question, left out when the person's next text already answers it."""

    text: str
    pending: Pending
    lookup: Do | None = None  # finds out what to offer with the question


Step = Say | Ask | Do
