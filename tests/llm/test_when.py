"""The day and the time in English texts. Most phrases are from two lists written before the grammar was."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from replyline.llm.scripted.when import find_when
from tests.llm.phrases import ABOUT_NO_TIME, PHRASES

NOW = datetime(2026, 11, 23, 10, 0)  # a Monday
GYM = (6.0, 21.0)


@pytest.mark.parametrize(("text", "meanings"), PHRASES)
def test_a_phrase_means_a_moment(text: str, meanings: list[date]) -> None:
    found = find_when(text, NOW)
    assert found.day is not None
    accepted = [(each.date(), each.time()) if isinstance(each, datetime) else (each, None) for each in meanings]
    assert any(found.day == day and clock in (None, found.clock) for day, clock in accepted), found


@pytest.mark.parametrize("text", ABOUT_NO_TIME)
def test_other_words_mean_no_moment(text: str) -> None:
    assert find_when(text, NOW).day is None


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("6", time(18)),
        ("7", time(7)),
        ("maybe six", time(18)),
        ("let's say 6 30", time(18, 30)),
        ("7 then", time(7)),
        ("actually can we do 4 instead?", time(16)),
        ("6 people", None),
        ("whatever", None),
    ],
)
def test_a_bare_hour_is_a_time_only_when_we_asked_for_one(text: str, clock: time | None) -> None:
    assert find_when(text, NOW, GYM, was_asked=True).clock == clock
    assert find_when(text, NOW, GYM).clock is None


def test_a_bare_hour_is_nearest_to_the_time_it_replaces() -> None:
    assert find_when("move it to 7", NOW, GYM, near=time(18)).clock == time(19)
    assert find_when("move it to 7", NOW, GYM, near=time(8)).clock == time(7)


def test_a_bare_hour_is_the_one_we_offered() -> None:
    offered = (time(6, 30), time(17, 30))
    assert find_when("6:30", NOW, GYM, offered=offered, was_asked=True).clock == time(6, 30)
    assert find_when("5:30", NOW, GYM, offered=offered, was_asked=True).clock == time(17, 30)


@pytest.mark.parametrize("text", ["yesterday", "11/20/2026", "today at 9am"])
def test_what_is_over_is_known_to_be_over(text: str) -> None:
    assert find_when(text, NOW).is_past


def test_an_hour_that_is_over_today_is_meant_for_the_evening() -> None:
    assert find_when("today at 9", NOW, GYM).clock == time(21)


def test_elapsed_time_counts_the_hour_that_the_clocks_skip() -> None:
    before = datetime(2026, 3, 8, 1, 30, tzinfo=ZoneInfo("America/Los_Angeles"))  # at 2:00 it becomes 3:00
    assert find_when("in 2 hours", before).clock == time(4, 30)


def test_elapsed_time_counts_the_hour_that_comes_twice() -> None:
    before = datetime(2026, 11, 1, 0, 30, tzinfo=ZoneInfo("America/Los_Angeles"))  # at 2:00 it becomes 1:00
    assert find_when("in 2 hours", before).clock == time(1, 30)


def test_a_time_stays_as_people_say_it_across_a_clock_change() -> None:
    saturday = datetime(2026, 3, 7, 10, 0, tzinfo=ZoneInfo("America/Los_Angeles"))
    found = find_when("tomorrow at 6pm", saturday)
    assert (found.day, found.clock) == (date(2026, 3, 8), time(18))


def test_the_29th_of_february_waits_for_a_leap_year() -> None:
    assert find_when("feb 29 at 10am", NOW).day == date(2028, 2, 29)
