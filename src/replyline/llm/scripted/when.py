"""The day and the time an English text message names: "tmrw 3pm", "next tue at 9", "half past 6 on the 24th".

At most one day and one time are found, and `When` says which of the two. Local time throughout; only "in 2 hours" goes
by elapsed time, so that a clock change in between does not count.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from replyline.llm.scripted.clocks import Halves, find_answer, find_clock
from replyline.llm.scripted.days import NEXT_WEEK, find_day, without_day
from replyline.llm.scripted.when_words import PARTS, WEEKDAY, plain


@dataclass(frozen=True, kw_only=True, slots=True)
class When:
    """What a text said about a moment."""

    day: date | None = None
    clock: time | None = None
    part: str | None = None  # "morning", "evening" ..., when no exact time was given
    is_past: bool = False  # the words name a moment that is over
    names_day: bool = False  # false when the day was only filled in from a bare time

    def __bool__(self) -> bool:
        return bool(self.day or self.clock or self.part)


def find_when(
    text: str,
    now: datetime,
    hours: tuple[float, float] = (9, 17),
    *,
    offered: tuple[time, ...] = (),
    near: time | None = None,
    was_asked: bool = False,
) -> When:
    """The moment `text` names, if any. A bare hour is one of those `offered`, or nearest to `near`, or within `hours`.

    `was_asked` says that we had just asked for a time, so that "6" alone is one.
    """
    words = without_origin(plain(text))
    part = next((word for word in PARTS if re.search(rf"\b{word}\b", words)), None)
    found_day, day = find_day(words, now.date())
    halves = Halves(hours=hours, part=part, near=near, offered=offered)
    rest = without_day(words, found_day)
    clock, names_half = find_clock(rest, words[found_day.end() :] if found_day else "", now, halves)
    if clock is None and was_asked:
        clock = find_answer(rest, halves)
    if isinstance(clock, datetime):
        day, clock = clock.date(), clock.time()
    names_day = day is not None
    if clock and day is None and not (found_day and found_day.re is NEXT_WEEK):
        day = now.date() + timedelta(clock <= now.time())  # the next such moment
    if clock and day == now.date() and clock <= now.time() and clock.hour < 12 and not names_half:
        clock = clock.replace(hour=clock.hour + 12)  # "today at 9", said at ten in the morning
    is_past = bool(day and (day < now.date() or (clock and day == now.date() and clock < now.time())))
    return When(day=day, clock=clock, part=None if clock else part, is_past=is_past, names_day=names_day)


def without_origin(words: str) -> str:
    """ "move my 9am to 11am" is about 11am."""
    target = rf"(?=\S*\d|{WEEKDAY}|next|tomorrow|today|noon)"
    origin = re.search(rf"\b(?:from|not|instead of|my)\b(?: my)? ([^.?!]{{1,25}}?) to {target}", words)
    return words[: origin.start()] + " to " + words[origin.end() :] if origin else words
