"""When to tell: a pure table of moves between how a thing was and how it is now."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from replyline.alerts.level import Level

# So long a condition has to be well before its alert is over: what flaps is told once.
CALM = timedelta(minutes=10)
REMIND = timedelta(days=1)


class Event(StrEnum):
    """What is told of an alert."""

    BEGAN = "began"
    WORSE = "worse"
    STILL = "still"  # a reminder, at most once a day
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """Something that goes on."""

    key: str
    level: Level  # the highest since it began
    says: str
    since: datetime
    seen_at: datetime  # when it was last not well
    told_at: datetime
    is_watched: bool  # the look ends it when it is well; else whoever raised it does


def seen(
    before: Alert | None, key: str, level: Level, says: str, now: datetime, *, is_watched: bool
) -> tuple[Alert | None, Event | None]:
    """What goes on after a look, and what is to be told of it."""
    if level is Level.OK:
        return (None, Event.ENDED) if before and now - before.seen_at >= CALM else remind(before, now)
    if before is None:
        began = {"since": now, "seen_at": now, "told_at": now}
        return Alert(key=key, level=level, says=says, is_watched=is_watched, **began), Event.BEGAN
    after = replace(before, says=says, seen_at=now, is_watched=is_watched)
    if level.is_worse_than(before.level):
        return replace(after, level=level, told_at=now), Event.WORSE
    return remind(after, now)


def remind(alert: Alert | None, now: datetime) -> tuple[Alert | None, Event | None]:
    """One that goes on, with a reminder when the last word of it is a day old."""
    if alert is None or now - alert.told_at < REMIND:
        return alert, None
    return replace(alert, told_at=now), Event.STILL
