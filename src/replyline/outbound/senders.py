"""How far each sender has used up its rate and its day. The rows of `senders` say, so it holds over all processes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import floor
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, select, update

from replyline.db.both import if_new
from replyline.db.columns import AnyRow, UtcTime
from replyline.db.tables import senders
from replyline.outbound.pace import Pace
from replyline.work import Opening

# How far ahead of its rate a sender may get, by the priority of the text: what is ahead waits in Twilio's own queue.
# Notices and campaigns get a second ahead, so a reply that overtakes them waits about so long there, and has room here.
AHEAD: Mapping[int, timedelta] = {
    0: timedelta(seconds=10),
    1: timedelta(seconds=6),
    5: timedelta(seconds=1),
    9: timedelta(seconds=1),
}
NOTICE = 5
FEW_NOTICES = 4  # segments that a slow sender need not count, if it is done with them in
SOON = timedelta(seconds=4)
# A lane that is full is looked at again when there is room for more than one text, unless somebody waits for an answer.
GATHER: Mapping[int, timedelta] = {
    0: timedelta(),
    1: timedelta(),
    5: timedelta(milliseconds=100),
    9: timedelta(milliseconds=200),
}
BUSY = timedelta(milliseconds=20)  # another process is just letting texts of this sender leave

RECOVERS_IN = timedelta(minutes=5)  # from nothing to all of the rate, after Twilio asked us to slow down

# T-Mobile's day begins at midnight here. Of each day's texts this part is kept for people who wait for an answer.
PACIFIC = ZoneInfo("America/Los_Angeles")
FOR_REPLIES = 0.1
LAST_REPLY_PRIORITY = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A row of `senders`."""

    address: str
    spoken_for_until: datetime
    slowed_to: float = 1.0
    slowed_at: datetime | None = None
    closed_until: datetime | None = None
    why: str | None = None
    day: str = ""
    sent_that_day: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What one text took of its brand's day."""

    brand: str
    day: str
    segments: int


@dataclass(kw_only=True)
class Rooms:
    """What is left of some lanes' rates, in one transaction."""

    now: datetime
    paces: dict[str, Pace] = field(default_factory=dict)  # by lane
    states: dict[str, State] = field(default_factory=dict)  # by name; not there: another process holds it just now
    before: dict[str, State] = field(default_factory=dict)

    def add(self, conn: Connection, paces: Mapping[str, Pace]) -> None:
        """Hold the rows of these lanes until the transaction ends, but for those that another process holds."""
        new = {lane: pace for lane, pace in paces.items() if lane not in self.paces}
        names = sorted({name for pace in new.values() for name in names_of(pace)} - self.states.keys())
        states = hold(conn, names, self.now) if names else {}
        self.paces |= new
        self.states |= states
        self.before |= states

    def opening(self, lane: str, priority: int) -> Opening:
        """How many texts may leave by a lane; the last of them may be longer than the room there is."""
        pace, now = self.paces[lane], self.now
        if any(name not in self.states for name in names_of(pace)):
            return Opening(room=0, at=now + BUSY)
        state = self.states[pace.shares]
        brand = self.states[pace.brand] if pace.brand else state
        if closed := [each.closed_until for each in (state, brand) if each.closed_until and each.closed_until > now]:
            return Opening(room=0, at=max(closed))
        left = left_today(pace, brand, priority, now)
        if left <= 0:
            return Opening(room=0, at=next_day(now))
        rate = rate_now(pace, state, now)
        ahead = ahead_of(priority, rate)
        if state.spoken_for_until > now + ahead:
            return Opening(room=0, at=state.spoken_for_until - ahead + GATHER[priority])
        seconds = (now + ahead - max(state.spoken_for_until, now)).total_seconds()
        return Opening(room=min(1 + floor(seconds * rate), left))

    def take(self, lane: str, priority: int, segments: int) -> str | None:
        """Take room for one text. Why not, when there is none."""
        pace = self.paces[lane]
        opening = self.opening(lane, priority)
        if opening.room <= 0:
            return self._why_not(pace, priority)
        state = self.states[pace.shares]
        start = max(state.spoken_for_until, self.now)
        until = start + timedelta(seconds=segments / rate_now(pace, state, self.now))
        self.states[pace.shares] = replace(state, spoken_for_until=until)
        if pace.brand:
            brand = self.states[pace.brand]
            day = max(brand.day, day_of(self.now))  # another process may be in the new day already
            sent = brand.sent_that_day if brand.day == day else 0
            self.states[pace.brand] = replace(brand, day=day, sent_that_day=sent + segments)
        return None

    def save(self, conn: Connection) -> None:
        """Write down what was taken."""
        if changed := [state for name, state in self.states.items() if state != self.before[name]]:
            conn.execute(TAKEN, [as_taken(state) for state in sorted(changed, key=lambda state: state.address)])

    def _why_not(self, pace: Pace, priority: int) -> str:
        states = [self.states[name] for name in names_of(pace) if name in self.states]
        if closed := [state for state in states if is_closed(state, self.now)]:
            return closed[0].why or "its sender is paused"
        brand = self.states.get(pace.brand or "")
        if brand and left_today(pace, brand, priority, self.now) <= 0:
            return f"its brand has sent what it may today ({pace.daily_cap}); the day ends at midnight US Pacific"
        return "its sender's rate"


def hold(conn: Connection, names: Sequence[str], now: datetime) -> dict[str, State]:
    """The rows of these names, locked and made if need be. Those that another process has locked are passed over."""
    states = lock(conn, names)
    if missing := [name for name in names if name not in states]:
        there = set(conn.execute(NAMES, {"names": missing}).scalars())
        if new := [name for name in missing if name not in there]:
            ADD(conn, [{"address": name, "spoken_for_until": now} for name in new])
            states |= lock(conn, new)
    return states


def lock(conn: Connection, names: Sequence[str]) -> dict[str, State]:
    return {row.address: state_of(row) for row in conn.execute(LOCK, {"names": list(names)})}


def part_now(state: State, now: datetime) -> float:
    """What part of its rate a sender may go at: it grows back evenly after it was slowed down."""
    if state.slowed_at is None:
        return 1.0
    return min(state.slowed_to + (now - state.slowed_at) / RECOVERS_IN, 1.0)


def rate_now(pace: Pace, state: State, now: datetime) -> float:
    return pace.rate * part_now(state, now)


def ahead_of(priority: int, rate: float) -> timedelta:
    if priority != NOTICE:
        return AHEAD[priority]
    return max(AHEAD[priority], min(timedelta(seconds=FEW_NOTICES / rate), SOON))


def is_closed(state: State, now: datetime) -> bool:
    return state.closed_until is not None and state.closed_until > now


def left_today(pace: Pace, brand: State, priority: int, now: datetime) -> int:
    """How much of the brand's day is left for a priority."""
    if pace.brand is None:
        return 1_000_000
    kept = 0 if priority <= LAST_REPLY_PRIORITY else round(pace.daily_cap * FOR_REPLIES)
    return pace.daily_cap - kept - (brand.sent_that_day if brand.day >= day_of(now) else 0)


def counted(pace: Pace, segments: int, at: datetime) -> Counted | None:
    """What a text that was claimed then took of its brand's day; none: nobody counts it."""
    return Counted(brand=pace.brand, day=day_of(at), segments=segments) if pace.brand else None


def give_back(conn: Connection, unsent: Iterable[Counted]) -> None:
    """Take texts that never left off their brand's day, or an hour without Twilio would use it up."""
    sums: Counter[tuple[str, str]] = Counter()
    for each in unsent:
        sums[each.brand, each.day] += each.segments
    if sums:
        conn.execute(GIVE_BACK, [{"name": name, "on": day, "so_many": sums[name, day]} for name, day in sorted(sums)])


def day_of(now: datetime) -> str:
    return now.astimezone(PACIFIC).date().isoformat()


def next_day(now: datetime) -> datetime:
    """The next midnight US Pacific."""
    local = now.astimezone(PACIFIC)
    return (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(now.tzinfo)


def names_of(pace: Pace) -> tuple[str, ...]:
    return (pace.shares, pace.brand) if pace.brand else (pace.shares,)


def state_of(row: AnyRow) -> State:
    return State(**row._mapping)


def as_taken(state: State) -> dict[str, object]:
    return {
        "name": state.address,
        "to": state.spoken_for_until,
        "on": state.day,
        "so_many": state.sent_that_day,
    }


ADD = if_new(senders)
_named = senders.c.address.in_(bindparam("names", expanding=True))
NAMES = select(senders.c.address).where(_named)
LOCK = select(senders).where(_named).order_by(senders.c.address).with_for_update(skip_locked=True)
GIVE_BACK = (
    update(senders)
    .where(senders.c.address == bindparam("name"), senders.c.day == bindparam("on"))
    .values(sent_that_day=senders.c.sent_that_day - bindparam("so_many"))
)
TAKEN = (
    update(senders)
    .where(senders.c.address == bindparam("name"))
    .values(
        spoken_for_until=bindparam("to", type_=UtcTime),
        day=bindparam("on"),
        sent_that_day=bindparam("so_many"),
    )
)
