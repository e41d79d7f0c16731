"""The whole judge against a slow reading of the files, for anybody, anywhere, in three years, whatever a line adds."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.left_out import as_many
from tests.support.slow_hours import NAMES, ROWS, closes, is_barred, is_within

from replyline.hours import hours_in_words
from replyline.plugins.programs import Tier
from replyline.rules.facts import Consent, Facts, Purpose
from replyline.rules.judge import judge
from replyline.rules.places import Known, place_of
from replyline.rules.rulebook import read_rulebook
from replyline.rules.verdict import Refuse, Send, Wait

BOOK = read_rulebook()
AREAS = {row["area_code"]: row for row in ROWS["area_codes.csv"]}
AMERICAN = sorted(code for code, row in AREAS.items() if row["countries"] == "US")
STATES = sorted({row["state"] for row in ROWS["us_state_quiet_hours.csv"] if len(row["state"]) == 2})
ZONES = ["America/New_York", "America/Los_Angeles", "Pacific/Honolulu", "Asia/Tokyo", "Europe/Paris", "Pacific/Guam"]
ABROAD = {"FR": "+33612345678", "GB": "+447400123456", "CO": "+573001234567", "IN": "+919812345678"}
OWN = ["", "", "Mon-Fri 10:00-16:00", "09:30-20:15"]
WRITTEN = Consent(purpose=Purpose.MARKETING, tier=Tier.EXPRESS_WRITTEN, since=datetime(2025, 1, 1, tzinfo=UTC))

moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
people = st.one_of(
    st.builds(
        lambda code, **known: (f"+1{code}5550123", Known(**known)),
        st.sampled_from(AMERICAN),
        zone=st.none() | st.sampled_from(ZONES),
        state=st.none() | st.sampled_from(STATES),
        postal_code=st.none() | st.sampled_from([f"{row['prefix']}01" for row in ROWS["zip_codes.csv"]]),
    ),
    st.sampled_from(sorted(ABROAD.values())).map(lambda phone: (phone, Known())),
)
later = st.integers(-48, 24 * 40).map(lambda hours: timedelta(hours=hours))
more = st.lists(
    st.just("send") | st.just("refuse") | later,
    max_size=4,
)


def as_rule(said, at):
    """A rule of the line that always says the same."""
    verdict = Send() if said == "send" else Refuse(why="no") if said == "refuse" else Wait(until=at + said, why="later")
    return lambda _facts, _now: verdict


def told(phone, known):
    """Every zone and state that something points to, read from the files: person, ZIP code, state, area code."""
    rows = [AREAS[phone[2:5]]]
    rows += [row for row in ROWS["zip_codes.csv"] if known.postal_code and row["prefix"] == known.postal_code[:3]]
    states = {state for row in rows for state in row["states"].split(";") if state}
    zones = {zone for row in rows for zone in row["zones"].split(";") if zone}
    if known.state and any(
        known.state == row["states"] for file in ("area_codes.csv", "zip_codes.csv") for row in ROWS[file]
    ):
        states.add(known.state)
        alone = [
            row for file in ("area_codes.csv", "zip_codes.csv") for row in ROWS[file] if row["states"] == known.state
        ]
        zones |= {zone for row in alone for zone in row["zones"].split(";")}
    return states, zones | ({known.zone} - {None})


def is_closed(phone, known, own, at):
    """Whether any file, or the line, closes this instant anywhere they may be."""
    if phone.startswith("+1"):
        states, zones = told(phone, known)
        by_law = any(closes(state, zone, at) for zone in zones for state in ("FED", *states))
    else:
        (country,) = [iso for iso, number in ABROAD.items() if number == phone]
        (row,) = [row for row in ROWS["countries.csv"] if row["iso2"] == country]
        zones = place_of(phone, known, BOOK, "UTC").zones
        by_law = any(is_closed_abroad(row, country, at.astimezone(ZoneInfo(zone))) for zone in zones)
    return by_law or (bool(own) and any(not is_within(own, at.astimezone(ZoneInfo(zone))) for zone in zones))


def is_closed_abroad(row, country, here):
    barred = row["days_excluded"].split(";")
    if NAMES[here.weekday()] in barred or ("public_holidays" in barred and is_barred(country, here.date())):
        return True
    return not any(is_within(group, here) for group in row["promo_hours_local"].split("|"))


@settings(max_examples=as_many(500, quick=100), deadline=None)
@given(person=people, at=moments, own=st.sampled_from(OWN), said=more)
def test_no_advertisement_leaves_inside_any_window_that_applies_whatever_rules_a_line_adds(person, at, own, said):
    phone, known = person
    place = place_of(phone, known, BOOK, "UTC")
    facts = Facts(
        purpose=Purpose.MARKETING,
        has_opted_out=False,
        country=place.country,
        allowed_countries=frozenset({"US", *ABROAD}),
        place=place,
        book=BOOK,
        own_hours=hours_in_words(own),
        consents=(WRITTEN,),
        contact="desk@gym.test",
    )
    rules = [as_rule(each, at) for each in said]
    verdict = judge(facts, at, rules).verdict
    waits = [each for each in said if isinstance(each, timedelta) and each > timedelta()]
    if isinstance(verdict, Refuse):
        nowhere_open = judge(facts, at).verdict
        assert "refuse" in said or (isinstance(nowhere_open, Refuse) and "no hour suits" in nowhere_open.why)
        return
    assert "refuse" not in said
    if isinstance(verdict, Send):
        assert not is_closed(phone, known, own, at)
        assert not waits
        return
    assert verdict.until > at
    assert all(verdict.until >= at + each for each in waits)
    by_hours = judge(facts, at).verdict
    if isinstance(by_hours, Wait):
        assert is_closed(phone, known, own, at), "It waits though everybody is open."
        assert not is_closed(phone, known, own, by_hours.until)
        assert is_closed(phone, known, own, by_hours.until - timedelta(microseconds=1)), "It waits longer than it must."
        assert verdict.until >= by_hours.until
    else:
        assert waits
