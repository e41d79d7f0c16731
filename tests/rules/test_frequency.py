from datetime import timedelta

import pytest

from replyline.clock import as_utc
from replyline.hours import Cap
from replyline.rules.facts import Facts, Purpose
from replyline.rules.frequency import frequency_cap
from replyline.rules.places import NOTHING, place_of
from replyline.rules.rulebook import read_rulebook
from replyline.rules.verdict import Send, Wait

BOOK = read_rulebook()
NOW = as_utc("2026-03-03 12:00 America/New_York")
NEW_YORK, MIAMI, TOLL_FREE, BOGOTA = "+12125550123", "+13055550123", "+18885550123", "+573001234567"


def judged(phone, hours_ago, purpose=Purpose.MARKETING, **given):
    place = place_of(phone, NOTHING, BOOK, "UTC")
    sent = tuple(NOW - timedelta(hours=each) for each in hours_ago)
    known = {"has_opted_out": False, "country": place.country, "allowed_countries": frozenset({"US", "CO"})}
    return frequency_cap(Facts(purpose=purpose, place=place, book=BOOK, marketing_sent=sent, **known, **given), NOW)


@pytest.mark.parametrize(
    ("phone", "hours_ago", "wait"),
    [
        (MIAMI, [1, 2], None),
        (MIAMI, [1, 2, 23], 1),  # Florida: three in 24 hours, and the oldest has one hour to go
        (MIAMI, [1, 2, 24], None),
        (MIAMI, [1, 2, 3, 4], 21),
        (NEW_YORK, [1, 2, 3, 4, 5], None),  # New York has no such law
        (TOLL_FREE, [1, 2, 3], 21),  # who may be anywhere may be in Florida
        (BOGOTA, [5], 19),  # Colombia: once a day
    ],
)
def test_an_advertisement_too_many_waits_until_the_oldest_has_left_the_window(phone, hours_ago, wait):
    verdict = judged(phone, hours_ago)
    if wait is None:
        assert verdict == Send()
    else:
        assert isinstance(verdict, Wait)
        assert verdict.until == NOW + timedelta(hours=wait)


def test_the_lines_own_cap_holds_where_no_law_does():
    weekly = Cap(texts=2, within=timedelta(days=7), by="the line")
    verdict = judged(NEW_YORK, [30, 60], own_caps=(weekly,))
    assert verdict == Wait(
        until=NOW + timedelta(days=7, hours=-60), why="2 advertising texts in 168 hours; the line allows 2"
    )


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.MARKETING}))
def test_only_advertising_is_counted_out(purpose):
    assert judged(MIAMI, [1, 2, 3, 4], purpose=purpose) == Send()
