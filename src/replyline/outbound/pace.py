"""How fast texts may go, by what they leave from and where they go. Pure.

A lane is what texts stand in line by: a sender, and for some destinations and for pictures a line beside it, which
Twilio paces by itself. It can be told from the text alone; what its rate is, and who shares it, the line's senders say.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from replyline.db.columns import AnyRow
from replyline.phone_numbers import SenderKind, country_of, sender_kind
from replyline.plugins.line import Line
from replyline.plugins.senders import Registration, Sender

# Segments a second, all from Twilio: twilio.md §7 [queues] and [10dlc]. Twilio queues what comes faster for up to ten
# hours; pacing here keeps a reply from waiting there behind others.
# What a campaign may send to all US carriers together; Twilio shares it out among them by itself.
REGISTERED: Mapping[Registration, float] = {
    Registration.SCORE_75_TO_100: 225,
    Registration.SCORE_50_TO_74: 120,
    Registration.SCORE_25_TO_49: 12,
    Registration.SCORE_1_TO_24: 12,
    Registration.LOW_VOLUME: 12,
    Registration.LOW_VOLUME_MIXED: 3.75,
    Registration.SOLE_PROPRIETOR: 2.25,
    Registration.RUSSELL_3000: 225,
}
# What nobody has told us the registration of. 4 is a cautious guess for a long code: below all but the two smallest.
BY_KIND: Mapping[SenderKind, float] = {
    SenderKind.LONG_CODE: 4,
    SenderKind.TOLL_FREE: 3,
    SenderKind.SHORT_CODE: 100,
    SenderKind.ALPHANUMERIC: 10,
    SenderKind.MESSAGING_SERVICE: 10,
    SenderKind.CHANNEL: 80,
}
TO_CANADA = 1  # from one long code
ABROAD = 10  # from any number or name to a country that has no row of its own
# Messages a second with pictures, for all senders of a kind in the account. A service may hold any kind: the least.
MMS: Mapping[SenderKind, float] = {
    SenderKind.LONG_CODE: 50,
    SenderKind.TOLL_FREE: 25,
    SenderKind.SHORT_CODE: 40,
    SenderKind.MESSAGING_SERVICE: 25,
}
# T-Mobile's daily cap of a brand, segments and MMS: twilio.md §7 [tmo]. It starts anew at midnight US Pacific.
DAILY_CAP: Mapping[Registration, int] = {
    Registration.SCORE_75_TO_100: 200_000,
    Registration.SCORE_50_TO_74: 40_000,
    Registration.SCORE_25_TO_49: 10_000,
    Registration.SCORE_1_TO_24: 2_000,
    Registration.LOW_VOLUME: 2_000,
    Registration.LOW_VOLUME_MIXED: 2_000,
    Registration.SOLE_PROPRIETOR: 1_000,
    Registration.RUSSELL_3000: 200_000,
}
AT_HOME: Mapping[SenderKind, frozenset[str | None]] = {
    SenderKind.LONG_CODE: frozenset({"US"}),
    SenderKind.TOLL_FREE: frozenset({"US", "CA"}),
    SenderKind.SHORT_CODE: frozenset({"US", "CA", "GB"}),
    SenderKind.MESSAGING_SERVICE: frozenset({"US"}),
}
LONGEST_NAME = 64  # of a row of `senders`, which a line's key alone may fill
PICTURES, CANADA, ELSEWHERE = ">MMS", ">CA", ">*"  # no address has a `>` in it


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast a lane may go, and with whom it shares that."""

    rate: float  # segments a second; with pictures, messages
    shares: str  # the row of `senders` that the rate is kept on
    brand: str | None = None  # the row that the day is counted on
    daily_cap: int = 0


def lane_of(sender: str, phone: str, *, has_pictures: bool) -> str:
    """The lane of a text to a phone. `sender` is the messaging service when there is one, else our address."""
    kind = sender_kind(sender)
    if has_pictures and kind in MMS:
        return sender + PICTURES
    country = country_of(phone)
    if kind not in AT_HOME or country in AT_HOME[kind] or (is_foreign(sender) and country != "CA"):
        return sender
    is_by_number = kind in {SenderKind.LONG_CODE, SenderKind.MESSAGING_SERVICE}
    return sender + (CANADA if country == "CA" and is_by_number else ELSEWHERE)


def is_foreign(sender: str) -> bool:
    """Whether it is a number of neither the US nor Canada."""
    return sender_kind(sender) is SenderKind.LONG_CODE and not sender.startswith("+1")


def lane_of_text(text: AnyRow) -> str:
    """The lane of a row of `texts`."""
    return lane_of(text.messaging_service_sid or text.our_address, text.phone, has_pictures=bool(text.media))


def pace_of(lane: str, line: Line) -> Pace:
    """The pace of a lane, by what the line has declared."""
    address, _, to = lane.partition(">")
    sender = declared(address, line)
    kind = sender_kind(address)
    brand, cap = daily_cap_of(sender, line) if to in {"", PICTURES[1:]} else (None, 0)
    if to == PICTURES[1:]:
        return Pace(rate=MMS[kind], shares=f"mms {kind}", brand=brand, daily_cap=cap)
    if to:
        rate = line.segments_per_second or (TO_CANADA if to == CANADA[1:] else ABROAD)
        return Pace(rate=rate, shares=lane)
    shares = f"campaign {sender.campaign}" if sender and sender.campaign else address
    return Pace(rate=rate_of(address, sender, line), shares=shares, brand=brand, daily_cap=cap)


def declared(lane: str, line: Line) -> Sender | None:
    return next((sender for sender in line.senders if lane in {sender.lane, sender.address}), None)


def rate_of(address: str, sender: Sender | None, line: Line) -> float:
    if sender and sender.segments_per_second:
        return sender.segments_per_second
    if sender and sender.registered_as:
        return REGISTERED[sender.registered_as]
    # Of a service we name the number it is to leave from, so what is declared of it counts.
    inside = [each.address for each in line.senders if each.lane == address]
    return line.segments_per_second or min(map(rate_by_kind, inside or [address]))


def rate_by_kind(address: str) -> float:
    return ABROAD if is_foreign(address) else BY_KIND[sender_kind(address)]


def daily_cap_of(sender: Sender | None, line: Line) -> tuple[str | None, int]:
    """The brand that counts a sender's texts, and its cap."""
    if sender is None or sender.registered_as is None or sender.daily_cap == "off":
        return None, 0
    cap = DAILY_CAP[sender.registered_as] if isinstance(sender.daily_cap, str) else sender.daily_cap
    return f"brand {sender.brand or line.key}"[:LONGEST_NAME], cap
