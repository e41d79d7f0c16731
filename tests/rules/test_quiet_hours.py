from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.left_out import as_many
from tests.support.slow_hours import NAMES, ROWS, closes, is_barred, is_within

from replyline.clock import as_utc
from replyline.hours import hours_in_words
from replyline.rules.facts import Facts, Purpose
from replyline.rules.places import NOTHING, Known, place_of
from replyline.rules.quiet_hours import ANY_TIME, demands_on, quiet_hours
from replyline.rules.rulebook import read_rulebook
from replyline.rules.verdict import Refuse, Send, Wait
from replyline.rules.windows import is_open

BOOK = read_rulebook()
NEW_YORK, PORTLAND, MIAMI, PITTSBURGH, GARY, TOLL_FREE = (
    "+12125550123", "+15035550123", "+13055550123", "+14125550123", "+12195550123", "+18885550123",
)  # fmt: skip
PARIS, LONDON, BERLIN, BOGOTA, TORONTO = (
    "+33612345678",
    "+447400123456",
    "+4915123456789",
    "+573001234567",
    "+14165550123",
)


def facts(phone=NEW_YORK, known=NOTHING, purpose=Purpose.MARKETING, **given):
    place = place_of(phone, known, BOOK, "America/Los_Angeles")
    return Facts(
        purpose=purpose,
        has_opted_out=False,
        country=place.country,
        allowed_countries=frozenset({"US"}),
        place=place,
        book=BOOK,
        **given,
    )


def verdict(at, *args, **given):
    return quiet_hours(facts(*args, **given), as_utc(at))


@pytest.mark.parametrize(
    ("phone", "at", "until"),
    [
        (NEW_YORK, "2026-03-03 07:59 America/New_York", "2026-03-03 08:00 America/New_York"),
        (NEW_YORK, "2026-03-03 21:00 America/New_York", "2026-03-04 08:00 America/New_York"),
        (MIAMI, "2026-03-03 20:00 America/New_York", "2026-03-04 08:00 America/New_York"),
        # Texas begins later, and later still on Sundays.
        ("+12145550123", "2026-03-03 08:30 America/Chicago", "2026-03-03 09:00 America/Chicago"),
        ("+12145550123", "2026-03-08 09:30 America/Chicago", "2026-03-08 12:00 America/Chicago"),
        # Pennsylvania: no Sundays and no holidays since its law of 2026; before, the federal floor alone.
        (PITTSBURGH, "2026-11-22 12:00 America/New_York", "2026-11-23 09:00 America/New_York"),
        (PITTSBURGH, "2026-11-25 19:00 America/New_York", "2026-11-28 09:00 America/New_York"),
        # North-west Indiana is on Chicago's time, and the library puts most of it on New York's: both count.
        (GARY, "2026-03-03 08:30 America/New_York", "2026-03-03 08:00 America/Chicago"),
        # A toll-free number is nowhere: what suits every state, from New York to Hawaii.
        (TOLL_FREE, "2026-03-03 10:00 America/New_York", "2026-03-03 10:00 Pacific/Honolulu"),
        (PARIS, "2026-03-08 12:00 Europe/Paris", "2026-03-09 08:00 Europe/Paris"),
        (PARIS, "2026-05-01 12:00 Europe/Paris", "2026-05-02 08:00 Europe/Paris"),
        (LONDON, "2026-03-03 20:30 Europe/London", "2026-03-04 09:00 Europe/London"),
        (BOGOTA, "2026-03-07 15:00 America/Bogota", "2026-03-09 07:00 America/Bogota"),
        (BERLIN, "2026-03-03 21:30 Europe/Berlin", "2026-03-04 08:00 Europe/Berlin"),
        (TORONTO, "2026-03-07 09:30 America/Toronto", "2026-03-07 10:00 America/Toronto"),
    ],
)
def test_an_advertisement_waits_for_the_first_hour_that_every_rule_allows(phone, at, until):
    held = verdict(at, phone)
    assert isinstance(held, Wait)
    assert held.until == as_utc(until)
    assert verdict(until, phone) == Send()


@pytest.mark.parametrize("at", ["2026-03-08 03:30 UTC", "2026-03-03 08:00 America/New_York"])
@pytest.mark.parametrize("purpose", sorted(ANY_TIME))
def test_whoever_has_just_written_is_answered_at_any_hour(purpose, at):
    assert verdict(at, purpose=purpose) == Send()


def test_a_notice_waits_for_the_morning_unless_the_line_sends_notices_at_any_hour():
    night = "2026-03-03 23:00 America/New_York"
    assert isinstance(verdict(night, purpose=Purpose.TRANSACTIONAL), Wait)
    assert verdict(night, purpose=Purpose.TRANSACTIONAL, holds_notices=False) == Send()


def test_before_its_law_pennsylvania_had_the_federal_hours():
    assert verdict("2026-10-04 19:30 America/New_York", PITTSBURGH) == Send()
    assert isinstance(verdict("2026-10-25 19:30 America/New_York", PITTSBURGH), Wait)


@pytest.mark.parametrize(
    ("known", "at"),
    [
        # Her number is of New York. She says that she lives by the Pacific, and both clocks count.
        (Known(zone="America/Los_Angeles"), "2026-03-03 08:00 America/Los_Angeles"),
        (Known(postal_code="97201"), "2026-03-03 08:00 America/Los_Angeles"),
        (Known(state="KY"), "2026-03-03 10:00 America/Chicago"),
    ],
)
def test_signals_that_disagree_all_count(known, at):
    opens = as_utc(at)
    assert quiet_hours(facts(known=known), opens) == Send()
    assert isinstance(quiet_hours(facts(known=known), opens - timedelta(minutes=1)), Wait)


def test_the_lines_own_hours_narrow_the_laws():
    own = hours_in_words("Mon-Fri 10:00-16:00")
    assert isinstance(verdict("2026-03-03 09:00 America/New_York", own_hours=own), Wait)
    assert verdict("2026-03-07 12:00 America/New_York", own_hours=own) == Wait(
        until=as_utc("2026-03-09 10:00 America/New_York"),
        why="quiet hours (the line) where they are: NY (America/New_York), by area code",
    )


def test_rules_for_recorded_voices_count_when_the_line_says_so():
    early = "2026-03-03 08:30 America/Los_Angeles"
    assert verdict(early, "+14155550123") == Send()
    assert isinstance(verdict(early, "+14155550123", follows_adad=True), Wait)


def test_where_no_hour_suits_every_place_the_text_is_refused_and_says_why():
    own = hours_in_words("03:00-04:00")
    refused = verdict("2026-03-03 12:00 America/New_York", own_hours=own)
    assert isinstance(refused, Refuse)
    assert "no hour suits every place" in refused.why


@pytest.mark.parametrize(
    ("night", "morning"),
    [
        (
            "2026-03-07 23:00 America/New_York",
            "2026-03-08 12:00 UTC",
        ),  # the clocks go on in the night: 8:00 is 12:00 UTC
        ("2026-10-31 23:00 America/New_York", "2026-11-01 13:00 UTC"),
    ],
)
def test_the_morning_after_the_clocks_changed_is_the_new_morning(night, morning):
    held = verdict(night)
    assert isinstance(held, Wait)
    assert held.until == as_utc(morning)


# By a second reading of the same files: no text may leave inside a window that they close.

AREAS = [row for row in ROWS["area_codes.csv"] if row["countries"] == "US"]
PEOPLE_ABROAD = {
    "FR": PARIS, "GB": LONDON, "CO": BOGOTA, "RO": "+40712345678", "NO": "+4740612345", "ZA": "+27821234567",
    "IE": "+353851234567", "HU": "+36201234567", "PE": "+51912345678", "CL": "+56961234567", "IN": "+919812345678",
}  # fmt: skip


moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


@settings(max_examples=as_many(400, quick=100), deadline=None)
@given(row=st.sampled_from(AREAS), at=moments)
def test_no_advertisement_reaches_an_american_inside_any_window_that_applies(row, at):
    person = facts(f"+1{row['area_code']}5550123")
    held = quiet_hours(person, at)
    leaves = held.until if isinstance(held, Wait) else at
    assert isinstance(held, Send | Wait)
    for zone in row["zones"].split(";"):
        assert not closes("FED", zone, leaves)
        for state in row["states"].split(";"):
            assert not closes(state, zone, leaves), (state, zone)
    if isinstance(held, Wait):  # and not a moment later than it must
        demands = demands_on(person.place, BOOK, (), also_adad=False)
        assert any(not is_open(demand, leaves - timedelta(microseconds=1)) for demand in demands)


@settings(max_examples=as_many(200, quick=50), deadline=None)
@given(country=st.sampled_from(sorted(PEOPLE_ABROAD)), at=moments)
def test_no_advertisement_reaches_anybody_abroad_inside_their_countrys_hours(country, at):
    person = facts(PEOPLE_ABROAD[country])
    assert person.country == country
    held = quiet_hours(person, at)
    assert isinstance(held, Send | Wait)
    leaves = held.until if isinstance(held, Wait) else at
    (row,) = [row for row in ROWS["countries.csv"] if row["iso2"] == country]
    for zone in person.place.zones:
        here = leaves.astimezone(ZoneInfo(zone))
        assert NAMES[here.weekday()] not in row["days_excluded"].split(";")
        assert not ("holidays" in row["days_excluded"] and is_barred(country, here.date()))
        assert any(is_within(group, here) for group in row["promo_hours_local"].split("|"))


@settings(max_examples=as_many(60, quick=20), deadline=None)
@given(at=moments)
def test_somebody_who_may_be_anywhere_in_the_country_still_gets_an_hour(at):
    held = quiet_hours(facts(TOLL_FREE), at)
    leaves = held.until if isinstance(held, Wait) else at
    assert isinstance(held, Send | Wait)
    for state in {row["state"] for row in ROWS["us_state_quiet_hours.csv"]} - {"PR", "GU"}:
        if "ADAD" not in state and state != "UNKNOWN":  # which is derived from the others
            for zone in (
                "America/New_York",
                "America/Chicago",
                "America/Denver",
                "America/Los_Angeles",
                "Pacific/Honolulu",
            ):
                assert not closes(state, zone, leaves), (state, zone)
