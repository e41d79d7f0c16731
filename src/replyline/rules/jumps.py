"""Do far more texts leave than usual? Pumping fraud and loops look like that. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from replyline.plugins.budgets import Jumps
from replyline.rules.budget import OWED, in_time
from replyline.rules.facts import Facts, Purpose
from replyline.rules.verdict import Send, Verdict, Wait

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class Busy:
    """How many texts left by one key in this hour, and in the week before it."""

    key: str
    now: int = 0
    before: int = 0
    hours: int = 0  # in the week before, with any
    alerted_at: datetime | None = None

    @property
    def usual(self) -> float:
        return self.before / self.hours if self.hours else 0.0


def keys_of(facts: Facts, contact_id: str) -> Iterator[str]:
    """What a text is counted by. Advertising is a jump by its nature, and somebody has decided on it."""
    yield f"contact:{contact_id}"
    if facts.purpose is not Purpose.MARKETING:
        yield f"country:{facts.country or ''}"
        yield f"prefix:{facts.phone[:-4]}"[:64]


def floor_of(key: str, jumps: Jumps) -> int:
    """How many an hour are never too many."""
    floors: dict[str, int] = {"country": jumps.country, "prefix": jumps.prefix, "contact": jumps.contact}
    return floors[key.partition(":")[0]]


def is_jump(busy: Busy, jumps: Jumps) -> bool:
    """Whether one more would be too many."""
    return busy.now >= max(floor_of(busy.key, jumps), jumps.times * busy.usual)


def sudden_jump(facts: Facts, busy: Busy, jumps: Jumps, now: datetime, expires_at: datetime | None) -> Verdict:
    """Wait for the next hour when this one has had far more than usual."""
    if facts.purpose in OWED or not is_jump(busy, jumps):
        return Send()
    until = in_time(hour_of(now) + HOUR, expires_at, now)
    whom = {"country": f"to {facts.country}", "prefix": "to numbers like this one", "contact": "to this person"}
    why = f"{busy.now} texts {whom[busy.key.partition(':')[0]]} in this hour, where {busy.usual:.1f} are usual"
    return Wait(until=until, why=f"a sudden jump: {why}")


def hour_of(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)
