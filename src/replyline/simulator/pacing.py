"""How fast Twilio hands a sender's segments on, how many may wait, and what the account may ask at once.

https://support.twilio.com/hc/en-us/articles/115002943027
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from replyline.clock import Clock
from replyline.errors import ReplylineError
from replyline.phone_numbers import SenderKind, country_of, sender_kind
from replyline.simulator.account import Account, Message

ROUNDING = 0.001  # of a segment: times are whole microseconds


class BadPacing(ReplylineError):
    """Nothing would ever leave at that pace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pacing:
    """Segments per second, by what a text leaves from and where it goes; and how much may wait."""

    long_code_to_us: float = 12  # all numbers of a campaign together: here, of a messaging service
    long_code_to_canada: float = 1
    toll_free: float = 3  # to the US and Canada, as short codes; short codes to the United Kingdom too
    short_code: float = 100
    elsewhere: float = 10
    long_code_mms: float = 50  # MMS: messages per second, of the whole account
    toll_free_mms: float = 25
    short_code_mms: float = 40
    queue_hours: float = 10  # how much work may wait for a sender
    queue_segments: int | None = None  # how many instead, for tests that fill it

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not value > 0:
                raise BadPacing(f"A pacing's '{each.name}' must be more than 0, and {value} is not.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """Those who share one rate wait in one line."""

    name: str
    rate: float


class Lanes:
    """The queues of the account's senders: who came first leaves first."""

    def __init__(self, account: Account, clock: Clock, pacing: Callable[[], Pacing | None]) -> None:
        self._account, self._clock, self._pacing = account, clock, pacing
        self._free_at: dict[str, datetime] = {}

    def has_room(self, *, sender: str, to: str, segments: int, is_mms: bool) -> bool:
        """Whether a text may join its sender's queue."""
        pacing = self._pacing()
        if pacing is None:
            return True
        lane = lane_of(pacing, self._account, sender=sender, to=to, is_mms=is_mms)
        most = pacing.queue_hours * 3600 * lane.rate if pacing.queue_segments is None else pacing.queue_segments
        waiting = (self._start(lane) - self._clock.now()).total_seconds() * lane.rate
        return waiting + segments <= most + ROUNDING

    def enter(self, message: Message) -> datetime | None:
        """When this message's turn is; none when the queue is full. One that expires before that holds up nobody."""
        now, pacing = self._clock.now(), self._pacing()
        if pacing is None or message.sender is None:
            return now
        is_mms = message.sid.startswith("MM")
        if not self.has_room(sender=message.sender, to=message.to, segments=message.segments, is_mms=is_mms):
            return None
        lane = lane_of(pacing, self._account, sender=message.sender, to=message.to, is_mms=is_mms)
        start = self._start(lane)
        if start - now <= timedelta(seconds=message.validity_seconds):
            self._free_at[lane.name] = start + timedelta(seconds=message.segments / lane.rate)
        return start

    def _start(self, lane: Lane) -> datetime:
        return max(self._clock.now(), self._free_at.get(lane.name, self._clock.now()))


def lane_of(pacing: Pacing, account: Account, *, sender: str, to: str, is_mms: bool) -> Lane:
    kind, country = sender_kind(sender), country_of(to) or ("US" if to.startswith("+1") else "")
    if is_mms:
        rates = {SenderKind.TOLL_FREE: pacing.toll_free_mms, SenderKind.SHORT_CODE: pacing.short_code_mms}
        return Lane(name=f"MMS {kind}", rate=rates.get(kind, pacing.long_code_mms))
    if kind is SenderKind.LONG_CODE and country == "US":
        campaign = account.service_of(sender)
        return Lane(name=f"{campaign.sid if campaign else sender} US", rate=pacing.long_code_to_us)
    if kind is SenderKind.LONG_CODE and country == "CA":
        return Lane(name=f"{sender} CA", rate=pacing.long_code_to_canada)
    if kind is SenderKind.TOLL_FREE and country in {"US", "CA"}:
        return Lane(name=sender, rate=pacing.toll_free)
    if kind is SenderKind.SHORT_CODE and country in {"US", "CA", "GB"}:
        return Lane(name=sender, rate=pacing.short_code)
    return Lane(name=f"{sender} elsewhere", rate=pacing.elsewhere)
