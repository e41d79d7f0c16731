"""The records of a trail: an exchange, its texts, and the moments between them. All of them go out as JSON."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from replyline.db.columns import AnyRow


class Tone(StrEnum):
    """How something is going, at a glance."""

    PLAIN = "plain"
    BUSY = "busy"  # it goes on
    GOOD = "good"  # it went well, and is over
    HELD = "held"  # it waits for a time, a person or an answer
    BAD = "bad"  # it did not go out, or did not arrive


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One thing the server did."""

    kind: str
    title: str
    note: str = ""
    code: str = ""  # shown as it is: arguments, results, what was said
    why: str = ""  # every rule's word, for who wants to know
    tone: Tone = Tone.PLAIN
    after: int | None = None  # milliseconds since the exchange began; none: when is not in the rows
    took: int | None = None  # milliseconds
    sid: str | None = None  # Twilio's name of the text this is about


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """Something attached to a text."""

    url: str
    content_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One text, either way."""

    id: str
    sid: str | None
    is_inbound: bool
    body: str
    pictures: tuple[Picture, ...]
    status: str
    at: int  # milliseconds since 1970


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What an exchange took. Of money only what is known: a price that is not known is none, never zero."""

    answered_after: int | None = None  # milliseconds until the first reply was queued
    delivered_after: int | None = None  # until the last reply was on the phone
    segments: int = 0
    encodings: tuple[str, ...] = ()
    characters: int = 0
    models: tuple[str, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    model_cost_micros: int | None = 0
    sms_cost_micros: int | None = None  # of the texts either way, dollars; none: nobody knows the price of one of them
    is_estimate: bool = False  # Twilio's own price of one of them is not known yet
    is_billed: bool = False  # Twilio has at least one of them, so it will charge for it


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """Texts of a person, what the server did with them, and its replies."""

    id: str
    phone: str
    began_at: int  # milliseconds since 1970
    state: str  # a word or two: "delivered", "waiting for more", "held"
    tone: Tone
    texts: tuple[Said, ...]
    replies: tuple[Said, ...]
    moments: tuple[Moment, ...]
    figures: Figures


@dataclass(frozen=True, kw_only=True, slots=True)
class OptOut:
    """This person gets no texts of this line."""

    since: int  # milliseconds since 1970
    source: str  # keyword, carrier or person


@dataclass(kw_only=True)
class Rows:
    """The rows of one exchange."""

    inbound: list[AnyRow] = field(default_factory=list)
    outbound: list[AnyRow] = field(default_factory=list)
    turn: AnyRow | None = None
    steps: list[AnyRow] = field(default_factory=list)
    reports: dict[str, list[AnyRow]] = field(default_factory=dict)  # by the text's id
    decisions: dict[str, list[AnyRow]] = field(default_factory=dict)  # of the gate, by the text's id
    charges: dict[str, list[AnyRow]] = field(default_factory=dict)  # by what they are for
    media: dict[str, list[AnyRow]] = field(default_factory=dict)  # by the text's id
    work: dict[tuple[str, str], AnyRow] = field(default_factory=dict)  # by kind and key, for all exchanges
    closed: dict[str, datetime] = field(default_factory=dict)  # until when nothing leaves, by the sender

    @property
    def began_at(self) -> datetime:
        first = min([*self.inbound, *self.outbound], key=lambda row: row.created_at)
        moment: datetime = first.created_at
        return moment


def millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def since(began: datetime, moment: datetime) -> int:
    return millis(moment) - millis(began)
