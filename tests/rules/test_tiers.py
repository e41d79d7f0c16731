"""Have they agreed to be texted unasked?"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.cast import a_line

from replyline.plugins.line import BadLine, Line
from replyline.plugins.programs import BadProgram, Need, Program, Tier
from replyline.rules.facts import Consent, Facts, Purpose
from replyline.rules.needs import need_of
from replyline.rules.places import NOTHING, place_of
from replyline.rules.rulebook import read_rulebook
from replyline.rules.tiers import consent
from replyline.rules.verdict import Refuse, Send

NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)
BOOK = read_rulebook()
NEW_YORK, PARIS = "+12125550123", "+33612345678"
NOTICE, ADVERTISING, QUESTION = Purpose.TRANSACTIONAL, Purpose.MARKETING, Purpose.OPT_IN
EXPRESS = Need(tier=Tier.EXPRESS)


def agreed(purpose=ADVERTISING, tier=Tier.EXPRESS_WRITTEN, **given: Any) -> Consent:
    return Consent(**{"purpose": purpose, "tier": tier, "since": NOW - timedelta(days=1)} | given)


def verdict(*consents: Consent, purpose=ADVERTISING, phone=NEW_YORK, **given: Any):
    place = place_of(phone, NOTHING, BOOK, "UTC")
    known = {"has_opted_out": False, "allowed_countries": frozenset(), "country": place.country, "book": BOOK}
    return consent(Facts(purpose=purpose, place=place, consents=consents, **known | given), NOW)


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {NOTICE, ADVERTISING, QUESTION}))
def test_an_answer_needs_nothing_but_the_question(purpose):
    assert verdict(purpose=purpose, need=Need(tier=Tier.EXPRESS_WRITTEN)) == Send()


def test_the_question_whether_they_mean_it_goes_to_those_who_signed_up_for_that_program_alone():
    asked = {"purpose": QUESTION, "program": "offers", "need": Need(tier=Tier.EXPRESS)}
    since = NOW
    signed_up = Consent(purpose=ADVERTISING, program="offers", tier=Tier.EXPRESS_WRITTEN, since=since)
    notices = Consent(purpose=NOTICE, program="offers", tier=Tier.EXPRESS, since=since)
    other = Consent(purpose=ADVERTISING, program="news", tier=Tier.EXPRESS_WRITTEN, since=since)
    assert verdict(signed_up, **asked) == verdict(notices, **asked) == Send()
    assert isinstance(verdict(**asked), Refuse)
    assert isinstance(verdict(other, **asked), Refuse)


def test_advertising_never_leaves_without_consent_whatever_the_line_asks_for():
    assert isinstance(verdict(need=Need()), Refuse)


def test_advertising_to_the_us_takes_written_consent_though_the_line_asks_for_less():
    spoken = agreed(tier=Tier.EXPRESS)
    assert "express written" in verdict(spoken, need=EXPRESS).why
    assert verdict(spoken, need=EXPRESS, phone=PARIS) == Send()


def test_who_wants_advertising_wants_notices_too_and_not_the_reverse():
    assert verdict(agreed(), purpose=NOTICE, need=EXPRESS) == Send()
    assert isinstance(verdict(agreed(NOTICE)), Refuse)


def test_a_notice_needs_what_the_line_asks_for():
    assert verdict(purpose=NOTICE, need=Need()) == Send()
    assert isinstance(verdict(purpose=NOTICE, need=EXPRESS), Refuse)
    assert verdict(agreed(NOTICE, Tier.EXPRESS), purpose=NOTICE, need=EXPRESS) == Send()


def test_consent_to_one_program_is_none_to_another():
    assert verdict(agreed(program="offers"), program="offers") == Send()
    for program, given in [("", "offers"), ("offers", ""), ("news", "offers")]:
        assert isinstance(verdict(agreed(program=given), program=program), Refuse)


def test_what_has_expired_is_no_consent():
    assert verdict(agreed(expires_at=NOW + timedelta(seconds=1))) == Send()
    assert "expired" in verdict(agreed(expires_at=NOW)).why


def test_double_opt_in_takes_their_answer_to_our_question():
    both = Need(tier=Tier.EXPRESS_WRITTEN, double_opt_in=True)
    assert "have not answered" in verdict(agreed(), need=both).why
    assert verdict(agreed(is_confirmed=True), need=both) == Send()


def test_a_program_may_ask_for_more_than_its_line_and_not_for_less():
    line = a_line(
        marketing_needs="express_written",
        programs=[Program("offers", needs="express"), Program("codes", needs="express_written"), Program("news")],
    )
    assert need_of(line, ADVERTISING, "offers").tier is Tier.EXPRESS_WRITTEN
    assert need_of(line, NOTICE, "codes").tier is Tier.EXPRESS_WRITTEN
    assert need_of(line, NOTICE, "news").tier is Tier.EXPRESS
    assert need_of(a_line(programs=[Program("offers", double_opt_in=True)]), ADVERTISING, "offers").double_opt_in


def test_nobody_can_have_agreed_to_a_program_that_does_not_exist():
    assert need_of(a_line(), NOTICE, "ofers") == Need(tier=Tier.EXPRESS_WRITTEN, double_opt_in=True)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"marketing_needs": "none"}, "marketing_needs"),
        ({"programs": [Program("offers", needs="none")]}, "programs"),
        ({"programs": [Program("offers"), Program("offers")]}, "same key"),
    ],
)
def test_a_line_that_asks_for_too_little_is_refused_with_the_way_out(given, names):
    with pytest.raises(BadLine, match=names):
        Line(name="Gym", instructions="", **given)


@pytest.mark.parametrize("written", ["yes", "EXPRESS"])
def test_a_tier_that_does_not_exist_is_refused_with_those_that_do(written):
    with pytest.raises(BadProgram, match="express_written"):
        Line(name="Gym", instructions="", notices_need=written)
