import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.left_out import as_many

from replyline.plugins.programs import Tier
from replyline.rules.facts import Consent, Facts, Purpose
from replyline.rules.judge import CORE_RULES, judge
from replyline.rules.places import NOTHING, place_of
from replyline.rules.rulebook import read_rulebook
from replyline.rules.verdict import Refuse, Send, Wait, strictest

NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)
HOME = frozenset({"US", "CA"})
BOOK = read_rulebook()
IN_NEW_YORK = place_of("+12125550123", NOTHING, BOOK, "UTC")


CONSENTS = tuple(
    Consent(purpose=purpose, tier=Tier.EXPRESS_WRITTEN, since=NOW)
    for purpose in (Purpose.TRANSACTIONAL, Purpose.MARKETING)
)


def facts(**given: Any) -> Facts:
    known: dict[str, Any] = {"has_opted_out": False, "country": "US", "purpose": Purpose.CONVERSATIONAL_REPLY}
    known["consents"] = CONSENTS
    return Facts(allowed_countries=HOME, place=IN_NEW_YORK, book=BOOK, **{**known, **given})


@pytest.mark.parametrize("purpose", Purpose)
def test_a_text_to_somebody_who_is_fine_with_it_leaves(purpose):
    assert judge(facts(purpose=purpose), NOW).verdict == Send()


@pytest.mark.parametrize("purpose", Purpose)
def test_after_an_opt_out_only_its_confirmation_and_help_leave(purpose):
    leaves = purpose in {Purpose.OPT_OUT_CONFIRMATION, Purpose.HELP_REPLY}
    verdict = judge(facts(purpose=purpose, has_opted_out=True), NOW).verdict
    assert verdict == (Send() if leaves else Refuse(why="they have opted out", rule="opted_out"))


@pytest.mark.parametrize(
    ("country", "why"), [("BS", "does not text to BS"), (None, "not known"), ("", "does not text to")]
)
@pytest.mark.parametrize("purpose", Purpose)
def test_no_text_goes_where_the_line_does_no_business(country, why, purpose):
    verdict = judge(facts(country=country, purpose=purpose), NOW).verdict
    assert isinstance(verdict, Refuse)
    assert verdict.rule == "country"
    assert why in verdict.why


def test_the_decision_says_what_every_rule_said():
    def lunch(_facts, now):
        return Wait(until=now + timedelta(hours=1), why="lunch")

    decision = judge(facts(has_opted_out=True), NOW, [lunch])
    assert decision.said == (
        ("opted_out", Refuse(why="they have opted out", rule="opted_out")),
        ("consent", Send()),
        ("country", Send()),
        ("registration", Send()),
        ("frequency_cap", Send()),
        ("quiet_hours", Send()),
        ("lunch", Wait(until=NOW + timedelta(hours=1), why="lunch")),
    )


def test_a_list_without_the_core_rules_does_not_do_away_with_them():
    assert isinstance(judge(facts(has_opted_out=True), NOW, []).verdict, Refuse)
    assert isinstance(judge(facts(has_opted_out=True), NOW, [lambda _facts, _now: Send()]).verdict, Refuse)


def test_the_core_rules_are_asked_once():
    assert len(judge(facts(), NOW, (*CORE_RULES, *CORE_RULES)).said) == len(CORE_RULES)


def broken(_facts, _now):
    raise KeyError("+14155550123")


def exiting(_facts, _now):
    sys.exit(1)


def forgetful(_facts, _now):
    return None


def zoneless(_facts, _now):
    return Wait(until=datetime(2026, 3, 3), why="tomorrow")


@pytest.mark.parametrize("rule", [broken, exiting, forgetful, zoneless])
def test_a_rule_that_breaks_refuses(rule):
    verdict = judge(facts(), NOW, [rule]).verdict
    assert isinstance(verdict, Refuse)
    assert verdict.rule == rule.__name__
    assert "+1415" not in verdict.why


@pytest.mark.parametrize("over_for", [timedelta(), timedelta(days=1)])
def test_a_rule_that_says_not_before_a_moment_holds_nothing_once_it_has_come(over_for):
    def not_before(_facts, _now):
        return Wait(until=NOW, why="not before the sale")

    assert judge(facts(), NOW + over_for, [not_before]).verdict == Send()
    assert isinstance(judge(facts(), NOW - timedelta(microseconds=1), [not_before]).verdict, Wait)


def test_a_refusal_names_its_rule():
    def sundays(_facts, _now):
        return Refuse(why="closed")

    assert judge(facts(), NOW, [sundays]).verdict == Refuse(why="closed", rule="sundays")


later = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC))
verdicts = (
    st.just(Send())
    | st.builds(Wait, until=later, why=st.text(max_size=3))
    | st.builds(Refuse, why=st.text(max_size=3), rule=st.sampled_from("ab"))
)
some_facts = st.builds(
    Facts,
    purpose=st.sampled_from(Purpose),
    has_opted_out=st.booleans(),
    country=st.sampled_from(["US", "BS", None]),
    allowed_countries=st.just(HOME),
)


def strictness(verdict):
    match verdict:
        case Send():
            return (0, NOW)
        case Wait():
            return (1, verdict.until) if verdict.until > NOW else (0, NOW)
    return (2, NOW)


def always(verdict):
    return lambda _facts, _now: verdict


@settings(max_examples=as_many(100, quick=25), suppress_health_check=[HealthCheck.too_slow])  # the first one is
@given(some_facts, st.lists(verdicts, max_size=4), verdicts, st.integers(0, 4))
def test_no_further_rule_makes_a_verdict_milder(given_facts, said, more, place):
    rules = [always(verdict) for verdict in said]
    before = judge(given_facts, NOW, rules).verdict
    after = judge(given_facts, NOW, [*rules[:place], always(more), *rules[place:]]).verdict
    assert strictness(after) >= strictness(before)
    assert strictness(after) >= strictness(more)


@given(st.lists(verdicts, max_size=5))
def test_the_strictest_verdict_is_one_of_them(said):
    assert strictest(said) in [*said, Send()]
    assert strictness(strictest(said)) == max(map(strictness, said), default=(0, NOW))
