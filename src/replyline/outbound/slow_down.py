"""Twilio or a carrier asks for less. It is kept on the sender's row, so every process goes more slowly, and recovers."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update

from replyline.db.columns import UtcTime
from replyline.db.tables import senders
from replyline.log import get_log
from replyline.outbound.pace import Pace
from replyline.outbound.senders import State, day_of, next_day, part_now, state_of

log = get_log(__name__)

# Half as fast, at most once in a while: the texts in flight are all told the same. It grows back in `RECOVERS_IN`.
SLOWER, SLOWEST = 0.5, 0.02
ONE_EVENT = timedelta(seconds=2)

MOMENT = timedelta(seconds=1)  # after a 429 that does not say how long
LONGEST = timedelta(minutes=5)  # after one that does: requests that are open now have ended long before
# Codes of errors.csv. The rest of those that say "backoff" are about one text or one person, not about the sender.
QUEUE_IS_FULL = {21611, 30001}  # Twilio holds ten hours of this sender's texts already
TOO_FAST = {30022}  # a carrier refused, for the 10DLC campaign
DAY_IS_OVER = {30023, 30027}  # the brand's daily cap
ACCOUNT_IS_OVER = {63038}  # the account's limit for any 24 hours; nobody says when they end
QUEUE_SHRINKS = timedelta(minutes=1)
ASKED_AGAIN = timedelta(hours=1)  # each try costs a text that fails


@dataclass(frozen=True, kw_only=True, slots=True)
class SlowDown:
    """A pause, and less afterwards."""

    names: tuple[str, ...] | None  # rows of `senders`; none: all there are
    wait: timedelta
    why: str
    is_slower: bool = True  # else only a pause


def of_account(wait_seconds: float | None) -> SlowDown:
    """After a 429 (20429). The limit is the account's, on requests that are open at once: every sender slows down."""
    wait = min(timedelta(seconds=wait_seconds), LONGEST) if wait_seconds else MOMENT
    return SlowDown(names=None, wait=wait, why="Twilio asked us to slow down (429).")


def of_sender(code: int | None, pace: Pace, now: datetime, *, left_at: datetime) -> SlowDown | None:
    """After an error of one text, which left us then, that says something about its sender."""
    if code in QUEUE_IS_FULL:
        return SlowDown(names=(pace.shares,), wait=QUEUE_SHRINKS, why=f"Twilio's queue for it is full ({code}).")
    if code in TOO_FAST:
        return SlowDown(names=(pace.shares,), wait=MOMENT, why=f"A carrier says it sends too fast ({code}).")
    if code in DAY_IS_OVER and day_of(left_at) == day_of(now):  # else it may be yesterday's, and the news late
        why = f"Twilio says its daily cap is used up ({code}); the day ends at midnight US Pacific."
        return SlowDown(names=(pace.brand or pace.shares,), wait=next_day(now) - now, why=why, is_slower=False)
    if code in ACCOUNT_IS_OVER and left_at + ASKED_AGAIN > now:
        why = f"Twilio says the account's limit for 24 hours is used up ({code}); it is tried again once an hour."
        return SlowDown(names=None, wait=left_at + ASKED_AGAIN - now, why=why, is_slower=False)
    return None


def slow_down(conn: Connection, asked: SlowDown, now: datetime) -> None:
    """Write it on the rows."""
    rows = conn.execute(ALL) if asked.names is None else conn.execute(NAMED, {"names": list(asked.names)})
    states = [state_of(row) for row in rows]
    changed = [new for state in states if (new := slower(state, asked, now)) != state]
    if changed:
        log.warning("sender_slowed", senders=len(changed), why=asked.why, wait=asked.wait.total_seconds())
        conn.execute(SLOWED, [as_row(state) for state in changed])


def slower(state: State, asked: SlowDown, now: datetime) -> State:
    if state.closed_until is None or state.closed_until < now + asked.wait:
        state = replace(state, closed_until=now + asked.wait, why=asked.why)
    if not asked.is_slower or (state.slowed_at is not None and now - state.slowed_at < ONE_EVENT):
        return state
    return replace(state, slowed_to=max(part_now(state, now) * SLOWER, SLOWEST), slowed_at=now)


def as_row(state: State) -> dict[str, object]:
    return {
        "name": state.address,
        "part": state.slowed_to,
        "at": state.slowed_at,
        "until": state.closed_until,
        "because": state.why,
    }


ALL = select(senders).order_by(senders.c.address).with_for_update()
NAMED = (
    select(senders)
    .where(senders.c.address.in_(bindparam("names", expanding=True)))
    .order_by(senders.c.address)
    .with_for_update()
)
SLOWED = (
    update(senders)
    .where(senders.c.address == bindparam("name"))
    .values(
        slowed_to=bindparam("part"),
        slowed_at=bindparam("at", type_=UtcTime),
        closed_until=bindparam("until", type_=UtcTime),
        why=bindparam("because"),
    )
)
