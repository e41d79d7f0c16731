"""What a text is judged by, gathered before."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from replyline.hours import Cap, Hours
from replyline.rules.places import Place
from replyline.rules.rulebook import Rulebook


class Purpose(StrEnum):
    """Why a text is sent. Anything promotional in it makes it marketing, whatever caused it."""

    CONVERSATIONAL_REPLY = "conversational_reply"  # answers what the person has just written
    TRANSACTIONAL = "transactional"  # about something they asked for: a booking, an order, a reminder of it
    MARKETING = "marketing"  # meant to sell
    OPT_OUT_CONFIRMATION = "opt_out_confirmation"  # the one text that may follow a STOP (47 CFR 64.1200(a)(12))
    HELP_REPLY = "help_reply"  # answers HELP, which is owed to people who have opted out too
    EMERGENCY = "emergency"  # about danger to health or safety


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """A text that wants to leave, and what is known of the person it goes to."""

    purpose: Purpose
    has_opted_out: bool  # of this line, and not undone by the person since
    country: str | None  # of the destination, ISO 3166; none when it cannot be told
    allowed_countries: frozenset[str]
    place: Place  # where they may be
    book: Rulebook  # the rules by place, as dated data
    own_hours: tuple[Hours, ...] = ()  # the line's, in the person's local time; none: no narrower ones
    own_caps: tuple[Cap, ...] = ()  # the line's
    holds_notices: bool = True  # transactional texts keep quiet hours too
    follows_adad: bool = False  # the rules for recorded voices count for texts as well
    marketing_sent: tuple[datetime, ...] = ()  # when this brand sent them advertising lately
    # For the rules of a line's author.
    line: str = ""
    phone: str = ""
    body: str = ""
    has_pictures: bool = False
