"""Budgets: what may be spent is reserved before a text leaves, and no more than that ever leaves."""

from replyline.db.tables import budgets, texts
from replyline.plugins.budgets import Budget
from replyline.rules.decisions import decisions_of
from replyline.rules.explain import in_words
from replyline.rules.facts import Purpose
from tests.support.cast import ANA, CLEO

MARKETING, NOTICE, REPLY = Purpose.MARKETING, Purpose.TRANSACTIONAL, Purpose.CONVERSATIONAL_REPLY
EACH = 12_800  # micro-dollars of one segment to the US from a long code, with the dearest carrier's fee


def room_for(texts, **given):
    """A budget of the line that takes so many texts, nothing of it kept for replies."""
    return Budget(f"{texts * EACH / 1e6:f}", for_replies=0, **given)


def the_budget(post, scope="line"):
    return next((row.spent_micros, row.reserved_micros) for row in post.rows(budgets) if row.scope == scope)


def statuses(post):
    return sorted(row.status for row in post.rows(texts))


async def test_only_what_the_budget_has_room_for_leaves(make_post):
    post = make_post(budgets=[room_for(3)])
    for n in range(8):
        post.say(f"text {n}", to=(ANA, CLEO)[n % 2])
    await post.work()
    await post.work(seconds=60)
    assert len(post.twilio.messages) == 3
    assert statuses(post) == ["queued"] * 5 + ["sent"] * 3
    assert the_budget(post) == (3 * EACH, 0)


async def test_what_waits_for_the_budget_says_so_and_leaves_when_the_period_ends(make_post):
    post = make_post(budgets=[room_for(1)])
    post.say("first")
    await post.work()
    text_id = post.say("second")
    await post.work()
    assert (post.status(text_id), post.row(text_id).why) == ("queued", "today's budget of $0.0128 is used up")
    [*_, row] = post.db.run_blocking(decisions_of, text_id)[1]
    words = "\n".join(in_words(dict(row._mapping)))
    assert "budget: is there money left for it? Wait until 2026-03-03 08:00 UTC: today's budget" in words
    await post.work(seconds=15 * 3600)  # midnight in Los Angeles and one hour
    assert post.status(text_id) == "queued", "quiet hours where she is"
    await post.work(seconds=9 * 3600)
    assert post.status(text_id) == "sent"
