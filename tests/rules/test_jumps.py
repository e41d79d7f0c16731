"""Sudden jumps and budgets as rules: pure, and as tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from replyline.costs.allowance import allowance
from replyline.plugins.budgets import Budget, Jumps
from replyline.rules.budget import budget
from replyline.rules.facts import Facts, Purpose
from replyline.rules.jumps import Busy, keys_of, sudden_jump
from replyline.rules.places import NOTHING, place_of
from replyline.rules.rulebook import read_rulebook
from replyline.rules.verdict import Send, Wait

NOW = datetime(2026, 3, 2, 18, 20, tzinfo=UTC)
NEXT_HOUR = datetime(2026, 3, 2, 19, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
BOOK = read_rulebook()
REPLY, NOTICE, MARKETING = Purpose.CONVERSATIONAL_REPLY, Purpose.TRANSACTIONAL, Purpose.MARKETING
PHONE = "+12125550123"


def facts(purpose):
    place = place_of(PHONE, NOTHING, BOOK, "UTC")
    known = {"has_opted_out": False, "country": "US", "allowed_countries": frozenset({"US"}), "phone": PHONE}
    return Facts(purpose=purpose, place=place, book=BOOK, **known)


@pytest.mark.parametrize(
    ("now", "before", "hours", "is_jump"),
    [
        (29, 0, 0, False),  # below the floor
        (30, 0, 0, True),  # nothing is usual
        (30, 3, 1, True),  # ten times 3
        (30, 6, 1, False),  # 60 would be
        (59, 6, 1, False),
        (60, 6, 1, True),
        (60, 12, 2, True),  # hours without any do not make the others unusual
    ],
)
def test_a_jump_is_over_the_floor_and_over_ten_times_the_usual_hour(now, before, hours, is_jump):
    busy = Busy(key="contact:con_1", now=now, before=before, hours=hours)
    verdict = sudden_jump(facts(REPLY), busy, Jumps(), NOW, None)
    assert isinstance(verdict, Wait) is is_jump
    assert getattr(verdict, "until", NEXT_HOUR) == NEXT_HOUR


@pytest.mark.parametrize("purpose", [Purpose.OPT_OUT_CONFIRMATION, Purpose.HELP_REPLY, Purpose.EMERGENCY])
def test_what_the_law_asks_for_is_never_too_much(purpose):
    busy = Busy(key="contact:con_1", now=1_000)
    assert sudden_jump(facts(purpose), busy, Jumps(), NOW, None) == Send()


@pytest.mark.parametrize(
    ("purpose", "keys"),
    [
        (REPLY, ["contact:con_1", "country:US", "prefix:+1212555"]),
        (NOTICE, ["contact:con_1", "country:US", "prefix:+1212555"]),
        (MARKETING, ["contact:con_1"]),
    ],
)
def test_a_text_is_counted_by_person_country_and_block_of_numbers_and_advertising_by_person(purpose, keys):
    assert list(keys_of(facts(purpose), "con_1")) == keys


def test_a_jump_that_outlasts_a_text_is_asked_about_once_more_before_its_end():
    busy = Busy(key="contact:con_1", now=1_000)
    soon = NOW + timedelta(minutes=5)
    verdict = sudden_jump(facts(REPLY), busy, Jumps(), NOW, soon)
    assert isinstance(verdict, Wait)
    assert verdict.until == soon - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("purpose", "used", "at_limit", "leaves"),
    [
        (NOTICE, 7, "stop", True),
        (NOTICE, 8, "stop", False),  # a fifth is kept for replies
        (MARKETING, 8, "send", False),
        (REPLY, 8, "stop", True),
        (REPLY, 9, "stop", True),
        (REPLY, 10, "stop", False),
        (REPLY, 10, "send", True),
        (Purpose.HELP_REPLY, 10, "stop", True),
    ],
)
def test_what_leaves_at_the_limit(purpose, used, at_limit, leaves):
    ten = replace(allowance(Budget(10), "gym", "line", "UTC", NOW), spent=used * 1_000_000)
    given = {"replies_at_limit": at_limit, "expires_at": None, "now": NOW}
    verdict = budget(facts(purpose), [ten], 1_000_000, **given)
    assert isinstance(verdict, Send) is leaves
    assert getattr(verdict, "until", MIDNIGHT) == MIDNIGHT


def test_replies_past_the_lines_budget_still_keep_the_persons():
    line = allowance(Budget(0), "gym", "line", "UTC", NOW)
    person = allowance(Budget(0, of="contact"), "gym", "contact:con_1", "UTC", NOW)
    given = {"replies_at_limit": "send", "expires_at": None, "now": NOW}
    assert budget(facts(REPLY), [line], 1, **given) == Send()
    assert isinstance(budget(facts(REPLY), [line, person], 1, **given), Wait)


def test_of_several_budgets_that_are_used_up_the_last_to_end_is_waited_for():
    both = [allowance(Budget(0, per=per), "gym", "line", "UTC", NOW) for per in ("day", "month")]
    verdict = budget(facts(NOTICE), both, 1, replies_at_limit="stop", expires_at=None, now=NOW)
    assert verdict == Wait(until=datetime(2026, 4, 1, tzinfo=UTC), why="this month's budget of $0.00 is used up")
