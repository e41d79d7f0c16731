"""What the gate said is kept, and can be told afterwards."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from replyline.db.tables import decisions, texts
from replyline.rules.decisions import decisions_of
from replyline.rules.explain import in_words
from replyline.rules.facts import Purpose
from replyline.rules.foresee import foresee
from replyline.rules.rulebook import read_rulebook
from replyline.rules.verdict import Refuse, Wait
from tests.support.cast import ANA, GYM_NUMBER, a_line
from tests.support.post import SECRET

MARKETING = Purpose.MARKETING
NIGHT = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # one in the morning in New York


def told(post, text_id):
    _, found = post.db.run_blocking(decisions_of, text_id)
    return ["\n".join(in_words(dict(row._mapping))) for row in found]


async def test_a_text_that_left_says_which_rules_let_it(post):
    text_id = post.say()
    await post.work()
    (words,) = told(post, text_id)
    assert words.startswith("It may leave.")
    assert read_rulebook().version in words
    for rule in ("opted_out", "consent", "country", "registration", "frequency_cap", "quiet_hours"):
        assert f"{rule}: " in words
    assert "13:00 in America/New_York" in words
    assert "the ledger has cev_test" in words


async def test_a_refused_text_names_the_rule_and_what_the_line_said(post):
    @post.line.rule
    def no_mondays(facts, now):
        return Refuse(why="not on Mondays")

    text_id = post.say()
    await post.work()
    (row,) = post.rows(decisions)
    assert (row.text_id, row.verdict, row.rule, row.why) == (text_id, "refuse", "no_mondays", "not on Mondays")
    assert "no_mondays: a rule of the line No: not on Mondays." in told(post, text_id)[0]


async def test_a_text_that_is_held_is_decided_once_and_again_when_it_leaves(post):
    post.clock.advance(seconds=(NIGHT - post.clock.now()).total_seconds())
    text_id = post.say("Half price!", purpose=MARKETING)
    await post.work()
    held = told(post, text_id)
    assert held[0].startswith("It waits until 2026-03-03 13:00 UTC: quiet hours")
    post.db.run_blocking(lambda conn: conn.exec_driver_sql("UPDATE work SET due = 0 WHERE kind = 'send'"))
    await post.work()
    assert told(post, text_id) == held  # judged again with the same word: nothing new to say
    await post.work(seconds=8 * 3600)
    assert [row.verdict for row in post.rows(decisions)] == ["wait", "send"]


async def test_a_text_that_is_held_again_to_another_day_says_so(make_post):
    post = make_post(holds_notices=False)
    days = []

    @post.line.rule
    def later(facts, now):
        days.append(now)
        return Wait(until=now + timedelta(days=len(days)), why="later")

    post.say()
    await post.work()
    await post.work(seconds=86_400)
    assert [row.until.day for row in sorted(post.rows(decisions), key=lambda row: row.at)] == [3, 5]


async def test_a_decision_has_neither_number_nor_words_of_the_person(post):
    post.say("my-knee-hurts")
    await post.work()
    (row,) = post.rows(decisions)
    assert ANA not in str(tuple(row))
    assert "my-knee-hurts" not in str(tuple(row))


@pytest.mark.parametrize(
    ("purpose", "at", "verdict"),
    [
        ("conversational_reply", NIGHT, "send"),
        ("transactional", NIGHT, "refuse"),
        ("marketing", NIGHT, "refuse"),
    ],
)
def test_the_gate_can_be_asked_beforehand_and_writes_nothing(db, purpose, at, verdict):
    given = {"purpose": purpose, "program": "", "at": at, "secret": SECRET}
    decision = db.run_blocking(foresee, a_line(), read_rulebook(), ANA, **given)
    assert decision["verdict"] == verdict
    assert list(in_words(decision))
    assert db.run_blocking(lambda conn: conn.execute(select(decisions)).all()) == []
    assert db.run_blocking(lambda conn: conn.execute(select(texts)).all()) == []


async def test_what_is_foreseen_is_what_happens(post):
    text_id = post.say("Half price!", purpose=MARKETING)
    given = {"purpose": "marketing", "program": "", "at": post.clock.now(), "secret": SECRET}
    foreseen = post.db.run_blocking(foresee, post.line, read_rulebook(), ANA, **given)
    await post.work()
    (row,) = post.rows(decisions)
    assert (foreseen["verdict"], foreseen["said"]) == (row.verdict, row.said)
    assert post.row(text_id).our_address == GYM_NUMBER
