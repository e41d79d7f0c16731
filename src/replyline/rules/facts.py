"""What a text is judged by, gathered before."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from replyline.hours import Cap, Hours
from replyline.phone_numbers import SenderKind
from replyline.plugins.programs import Need, Tier
from replyline.rules.places import Place
from replyline.rules.rulebook import Rulebook

NOTHING_NEEDED = Need()


class Purpose(StrEnum):
    """Why a text is sent. Anything promotional in it makes it marketing, whatever caused it."""

    CONVERSATIONAL_REPLY = "conversational_reply"  # answers what the person has just written
    TRANSACTIONAL = "transactional"  # about something they asked for: a booking, an order, a reminder of it
    MARKETING = "marketing"  # meant to sell
    OPT_IN = "opt_in"  # asks, or confirms, what they have just signed up for
    OPT_OUT_CONFIRMATION = "opt_out_confirmation"  # the one text that may follow a STOP (47 CFR 64.1200(a)(12))
    HELP_REPLY = "help_reply"  # answers HELP, which is owed to people who have opted out too
    EMERGENCY = "emergency"  # about danger to health or safety


class Scope(StrEnum):
    """What an opt-out is from."""

    ALL = "all"
    MARKETING = "marketing"
    TRANSACTIONAL = "transactional"


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """What a person has agreed to, towards one line."""

    purpose: Purpose
    program: str = ""  # none: the line's ordinary texts
    tier: Tier
    is_confirmed: bool = False  # they answered our question too: double opt-in
    since: datetime
    expires_at: datetime | None = None
    event_id: str = ""  # where the ledger has it


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """A text that wants to leave, and what is known of the person it goes to."""

    purpose: Purpose
    has_opted_out: bool  # of this purpose, or of all texts of this line, and not undone by the person since
    country: str | None  # of the destination, ISO 3166; none when it cannot be told
    allowed_countries: frozenset[str]
    place: Place  # where they may be
    book: Rulebook  # the rules by place, as dated data
    own_hours: tuple[Hours, ...] = ()  # the line's, in the person's local time; none: no narrower ones
    own_caps: tuple[Cap, ...] = ()  # the line's
    holds_notices: bool = True  # transactional texts keep quiet hours too
    follows_adad: bool = False  # the rules for recorded voices count for texts as well
    program: str = ""  # what the text belongs to
    need: Need = NOTHING_NEEDED  # what the line asks people to have agreed to for such a text
    consents: tuple[Consent, ...] = ()  # of this person, in force or not
    marketing_sent: tuple[datetime, ...] = ()  # when this brand sent them advertising lately
    sender_kind: SenderKind | None = None  # what it leaves from
    registers: frozenset[str] | None = None  # the countries whose register has the sender; none: the line does not say
    contact: str = ""  # how people reach the business otherwise: where they cannot reply, how they opt out
    # For the rules of a line's author.
    line: str = ""
    phone: str = ""
    body: str = ""
    has_pictures: bool = False
