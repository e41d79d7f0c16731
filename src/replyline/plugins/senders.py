"""What a line's texts leave from, as its author declares it."""

import re
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Literal

from replyline.errors import ReplylineError
from replyline.phone_numbers import SenderKind, country_of, sender_kind

E164 = re.compile(r"\+[1-9]\d{6,14}")
# Twilio's rule for names: up to 11 characters, one of them a letter.
NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}")
COUNTRY = re.compile(r"[A-Z]{2}")
US_CANADA = ("US", "CA")


class BadSender(ReplylineError):
    """A sender cannot be used as it is written, and why."""


class Registration(StrEnum):
    """What a US long code was registered as for 10DLC: the brand's trust score, and the campaign's use case."""

    SCORE_75_TO_100 = "score 75 to 100"
    SCORE_50_TO_74 = "score 50 to 74"
    SCORE_25_TO_49 = "score 25 to 49"
    SCORE_1_TO_24 = "score 1 to 24"  # or not vetted
    LOW_VOLUME = "low volume"  # a low-volume brand whose campaign has a use case of its own
    LOW_VOLUME_MIXED = "low volume mixed"
    SOLE_PROPRIETOR = "sole proprietor"
    RUSSELL_3000 = "russell 3000"


@dataclass(frozen=True, slots=True)
class Sender:
    """A number, a short code, a name or a messaging service that texts leave from.

    Sender("+14155550100", registration="score 50 to 74")
    """

    address: str
    _: KW_ONLY
    registration: Registration | str | None = None  # of a US long code, or of the numbers in a messaging service
    campaign: str = ""  # numbers of one 10DLC campaign share its rate: give them the same word
    brand: str = ""  # numbers of one 10DLC brand share its daily cap; empty: all of the line do
    messaging_service: str = ""  # the service a number is in: Twilio then treats the number by the service's rules
    countries: Sequence[str] = ()  # where it may text to; empty: what its kind is good for
    mms: bool | None = None  # whether it can send pictures; none: what its kind can do
    # The countries whose register has this sender: a name in Singapore's, say, or a toll-free number that is verified for
    # the US and Canada. A US long code with a registration is in the US's.
    registered_in: Sequence[str] = ()
    segments_per_second: float | None = None  # when Twilio has granted more, or you want less
    daily_cap: int | Literal["by registration", "off"] = "by registration"

    def __post_init__(self) -> None:
        check(self)

    @property
    def kind(self) -> SenderKind:
        return sender_kind(self.address)

    @property
    def registered_as(self) -> Registration | None:
        return None if self.registration is None else Registration(self.registration)

    @property
    def lane(self) -> str:
        """What its texts stand in line by: the service, when it is in one."""
        return self.messaging_service or self.address

    @property
    def registers(self) -> frozenset[str]:
        """The countries whose register has it."""
        return frozenset(self.registered_in) | ({"US"} if self.registration is not None else set())

    @property
    def can_send_pictures(self) -> bool:
        """Twilio carries MMS to and from the US and Canada only; a short code has to be provisioned for it."""
        if self.mms is not None:
            return self.mms
        is_american = self.kind is SenderKind.LONG_CODE and self.address.startswith("+1")
        return is_american or self.kind in {SenderKind.TOLL_FREE, SenderKind.MESSAGING_SERVICE, SenderKind.CHANNEL}

    def serves(self, country: str | None) -> bool:
        """Whether it is meant for phones of a country."""
        if self.countries:
            return country in self.countries
        match self.kind:
            case SenderKind.MESSAGING_SERVICE | SenderKind.CHANNEL:
                return True
            case SenderKind.ALPHANUMERIC:  # the carriers of the US and Canada take no names
                return country not in US_CANADA
            case SenderKind.SHORT_CODE:
                return country == "US"
        own = country_of(self.address)
        return country in (US_CANADA if own in US_CANADA else (own,))


def check(sender: Sender) -> None:
    """Stop the start with one sentence about a sender that could not send."""
    name, kind = repr(sender.address), sender.kind
    if kind in {SenderKind.LONG_CODE, SenderKind.TOLL_FREE} and not E164.fullmatch(sender.address):
        raise BadSender(f"The sender {name} needs its country code, as in '+14155550100'.")
    if kind is SenderKind.ALPHANUMERIC and not NAME.fullmatch(sender.address):
        raise BadSender(
            f"The sender {name} is no number in E.164, no short code, no messaging service (MG and 32 hex digits), and "
            "no name of up to 11 letters and digits."
        )
    if sender.registration is not None:
        if sender.registration not in set(Registration):
            known = ", ".join(repr(each.value) for each in Registration)
            raise BadSender(f"The sender {name} has the registration {sender.registration!r}; there is {known}.")
        if kind not in {SenderKind.LONG_CODE, SenderKind.MESSAGING_SERVICE} or not sender.serves("US"):
            raise BadSender(f"The sender {name} is no US long code, so it has no 10DLC registration; leave it out.")
    if max(len(sender.campaign), len(sender.brand)) > 40:
        raise BadSender(f"The campaign and the brand of the sender {name} may have 40 characters each.")
    if sender.messaging_service and sender_kind(sender.messaging_service) is not SenderKind.MESSAGING_SERVICE:
        raise BadSender(f"The messaging service of the sender {name} has to be MG and 32 hex digits.")
    if bad := [each for each in (*sender.countries, *sender.registered_in) if not COUNTRY.fullmatch(each)]:
        raise BadSender(f"The sender {name} names {bad[0]!r}, which is no ISO country code such as 'US'.")
    if sender.mms and kind is SenderKind.ALPHANUMERIC:
        raise BadSender(f"The sender {name} is a name, and names cannot send pictures; leave mms out.")
    if sender.segments_per_second is not None and sender.segments_per_second <= 0:
        raise BadSender(f"The sender {name} needs more than 0 segments_per_second.")
    if isinstance(sender.daily_cap, str):
        if sender.daily_cap not in {"by registration", "off"}:
            raise BadSender(f"The daily_cap of the sender {name} has to be a number, 'by registration' or 'off'.")
    elif sender.daily_cap < 1:
        raise BadSender(f"The daily_cap of the sender {name} has to be at least 1; 'off' takes it away.")


def check_together(senders: Sequence[Sender]) -> None:
    """The same for the senders of one line."""
    addresses = [sender.address for sender in senders]
    if twice := {address for address in addresses if addresses.count(address) > 1}:
        raise BadSender(f"The line has the sender {min(twice)!r} twice; leave one of them out.")
    of_campaign: dict[str, Sender] = {}
    for sender in senders:
        first = of_campaign.setdefault(sender.campaign or sender.lane, sender)
        if (sender.registered_as, sender.segments_per_second) != (first.registered_as, first.segments_per_second):
            raise BadSender(
                f"The senders {first.address!r} and {sender.address!r} share one rate, so they need the same "
                "registration and segments_per_second."
            )
