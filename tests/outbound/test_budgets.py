"""Budgets: what may be spent is reserved before a text leaves, and no more than that ever leaves."""

from datetime import timedelta

import pytest
import structlog
from sqlalchemy import Engine, event

from replyline.conversations.store import find_or_start
from replyline.costs import budgets as money
from replyline.costs import hours, ledger
from replyline.costs.ledger import Priced
from replyline.db import first_id
from replyline.db.tables import audit_events, budgets, charges, hourly_sends, reservations, texts
from replyline.outbound.reconcile import GAVE_UP, GIVE_UP_AFTER
from replyline.plugins.budgets import Budget, Jumps
from replyline.plugins.programs import Program
from replyline.rules.decisions import decisions_of
from replyline.rules.explain import in_words
from replyline.rules.facts import Purpose
from replyline.rules.jumps import hour_of
from replyline.rules.verdict import Send, Wait
from replyline.simulator import BROKEN, BROKEN_AFTER_ACCEPTING, THROTTLED, Fault
from tests.support.cast import ANA, CLEO, GYM_NUMBER, a_sid

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


async def test_a_request_that_twilio_refuses_gives_back_what_it_had_reserved(make_post):
    post = make_post(budgets=[room_for(1)])
    post.twilio.faults.next_creates(Fault.refused(21211))
    text_id = post.say()
    await post.work()
    assert (post.status(text_id), the_budget(post)) == ("failed", (0, 0))
    post.say("another")
    await post.work()
    assert the_budget(post) == (EACH, 0)


async def test_a_text_that_is_put_back_and_may_not_leave_again_gives_back_what_it_had_reserved(make_post):
    post = make_post(budgets=[room_for(1)])
    post.twilio.faults.next_creates(THROTTLED)
    post.say()
    close_after_the_first(post)
    await post.work()
    assert (statuses(post), the_budget(post)) == (["queued"], (0, 0))


async def test_a_text_in_doubt_keeps_what_it_has_reserved_until_its_fate_is_known(make_post):
    post = make_post(budgets=[room_for(1)])
    post.twilio.faults.next_creates(BROKEN)
    text_id = post.say()
    close_after_the_first(post)
    await post.work()
    assert (post.status(text_id), the_budget(post)) == ("unknown", (0, EACH))
    await post.work(seconds=40)
    assert (post.status(text_id), the_budget(post)) == ("queued", (0, 0))


def close_after_the_first(post):
    """A rule of the line's that lets each text leave once."""
    asked = []

    @post.line.rule
    def once(facts, now):
        asked.append(now)
        return Send() if len(asked) == 1 else Wait(until=now + timedelta(days=1), why="closed")


async def test_a_text_in_doubt_that_twilio_has_after_all_is_spent(make_post):
    post = make_post(budgets=[room_for(1)])
    post.twilio.faults.next_creates(BROKEN_AFTER_ACCEPTING)
    text_id = post.say()
    await post.work()
    assert the_budget(post) == (0, EACH)
    await post.work(seconds=40)
    assert (post.status(text_id), the_budget(post)) == ("delivered", (EACH, 0))


async def test_a_text_that_is_given_up_counts_as_if_it_had_left_until_a_callback_says_more(make_post):
    post = make_post(budgets=[room_for(1)])
    post.twilio.faults.next_creates(BROKEN)
    text_id = post.say()
    await post.work()
    post.twilio.faults.of_requests.append(lambda request: BROKEN)
    await post.work(seconds=600)
    await post.work(seconds=GIVE_UP_AFTER.total_seconds())
    assert (post.status(text_id), post.row(text_id).why) == ("failed", GAVE_UP)
    assert the_budget(post) == (EACH, 0)
    post.report("failed", text_id=text_id, sid=a_sid(), error_code=30005)
    fee = sum(row.estimate_micros for row in post.rows(charges) if row.kind == "failed")
    assert the_budget(post) == (fee, 0)


async def test_a_text_that_was_put_back_and_had_left_after_all_is_spent(make_post):
    post = make_post(budgets=[room_for(1)])
    post.twilio.faults.next_creates(BROKEN)
    text_id = post.say()
    close_after_the_first(post)
    await post.work()
    await post.work(seconds=40)
    assert the_budget(post) == (0, 0)
    post.report("delivered", text_id=text_id, sid=a_sid())
    assert the_budget(post) == (EACH, 0)


async def test_twilios_own_price_corrects_what_was_spent(make_post):
    post = make_post(budgets=[room_for(2), room_for(2, per="month")])
    text_id = post.say()
    await post.work()
    post.db.run_blocking(ledger.set_prices, [Priced(text_id=text_id, micros=8_300, currency="USD")])
    assert [(row.spent_micros, row.reserved_micros) for row in post.rows(budgets)] == [(8_300, 0)] * 2


async def test_a_text_that_failed_at_twilio_costs_its_fee_alone(make_post):
    post = make_post(budgets=[room_for(2)])
    text_id = post.say()
    await post.work()
    post.report("failed", text_id=text_id, sid=post.row(text_id).sid, error_code=30005)
    fee = sum(row.estimate_micros for row in post.rows(charges) if row.kind == "failed")
    assert 0 < fee < EACH
    assert the_budget(post) == (fee, 0)


async def test_a_message_that_changes_hands_takes_its_cost_along(make_post):
    post = make_post(budgets=[room_for(3)])
    post.twilio.faults.next_creates(BROKEN_AFTER_ACCEPTING)
    first = post.say("same words")
    await post.work()
    await post.work(seconds=40)
    sid = post.row(first).sid
    post.twilio.faults.next_creates(BROKEN)
    second = post.say("same words")
    await post.work()
    post.report("delivered", text_id=second, sid=sid)
    assert (post.status(first), post.status(second)) == ("unknown", "delivered")
    assert the_budget(post) == (EACH, EACH)
    await post.work(seconds=40)
    assert the_budget(post) == (2 * EACH, 0)


async def test_a_part_of_the_budget_is_kept_for_replies(make_post):
    post = make_post(budgets=[Budget(f"{10 * EACH / 1e6:f}", for_replies=0.3)])
    for n in range(10):
        post.say(f"notice {n}")
    await post.work()
    await post.work(seconds=60)
    assert len(post.screen()) == 7
    for n in range(5):
        post.say(f"reply {n}", purpose=REPLY)
    await post.work()
    assert len([words for words in post.screen() if "reply" in words]) == 3
    whys = {row.why for row in post.rows(texts) if row.status == "queued"}
    assert whys == {
        "today's budget of $0.128 is used up",
        "today's budget of $0.128 is used up but for what is kept for replies",
    }


async def test_a_line_may_send_replies_past_its_budget_and_they_count(make_post):
    post = make_post(budgets=[room_for(1)], replies_at_limit="send")
    for n in range(3):
        post.say(f"reply {n}", purpose=REPLY)
    post.say("notice")
    await post.work()
    assert sorted(post.screen()) == ["reply 0", "reply 1", "reply 2"]
    assert the_budget(post) == (3 * EACH, 0)


@pytest.mark.parametrize("purpose", [Purpose.OPT_OUT_CONFIRMATION, Purpose.HELP_REPLY, Purpose.EMERGENCY])
async def test_what_the_law_asks_for_leaves_whatever_the_budget_says_and_counts(make_post, purpose):
    post = make_post(budgets=[Budget(0)])
    post.say(purpose=purpose)
    await post.work()
    assert (len(post.twilio.messages), the_budget(post)) == (1, (EACH, 0))


async def test_a_reply_that_waits_for_the_budget_leaves_when_a_person_raises_it(make_post):
    post = make_post(budgets=[Budget(0)])
    reply, notice = post.say("Yes.", purpose=REPLY), post.say("Your class is at six.")
    await post.work()
    assert (post.status(reply), post.status(notice)) == ("queued", "queued")
    assert raised(post, 1_000_000).limit == 1_000_000
    await post.work(seconds=1)
    assert (post.status(reply), post.status(notice)) == ("sent", "sent")
    [event] = post.rows(audit_events)
    assert (event.kind, event.actor, event.details) == (
        "budget_raised",
        "Olga",
        {"budget": "line", "period": "2026-03-02", "micros": 1_000_000, "limit_micros": 1_000_000},
    )


async def test_what_a_person_raised_is_for_that_period_alone(make_post):
    post = make_post(budgets=[room_for(1)])
    raised(post, EACH)
    for n in range(4):
        post.say(f"text {n}")
    await post.work()
    assert len(post.screen()) == 2
    await post.work(seconds=24 * 3600)
    assert len(post.screen()) == 3


def raised(post, micros, index=0):
    now = post.clock.now()
    each = post.db.run_blocking(money.standing, post.line, now)[index]
    return post.db.run_blocking(money.raise_by, each, micros, by="Olga", now=now)


async def test_a_reply_that_nobody_raised_the_budget_for_expires(make_post):
    post = make_post(budgets=[Budget(0)])
    text_id = post.say(purpose=REPLY)
    await post.work()
    await post.work(seconds=4 * 3600 - 2)
    assert post.status(text_id) == "queued"
    await post.work(seconds=2)
    assert post.status(text_id) == "expired"
    assert "today's budget of $0.00 is used up" in post.row(text_id).why


async def test_each_campaign_and_each_person_has_a_budget_of_its_own(make_post):
    budgets = [room_for(2, of="contact"), Budget("0.0128", of="campaign", per="all")]
    post = make_post(budgets=budgets, notices_need="none", programs=[Program("classes")])
    for n in range(3):
        post.say(f"to ana {n}")
    post.say("to cleo", to=CLEO)
    for n in range(2):
        post.say(f"classes {n}", to=CLEO, program="classes")
    await post.work()
    await post.work(seconds=5)
    assert (len(post.screen(ANA)), sorted(post.screen(CLEO))) == (2, ["classes 0", "to cleo"])
    whys = sorted(row.why for row in post.rows(texts) if row.status == "queued")
    assert whys == [
        "the whole budget of $0.0128 for this campaign is used up",
        "today's budget of $0.0256 for this person is used up",
    ]


async def test_a_country_without_a_price_waits_and_says_why(make_post):
    post = make_post(budgets=[Budget(100)], countries=("US", "CU"), notices_need="none", holds_notices=False)
    text_id = post.say(to="+5351234567")
    await post.work()
    assert (post.status(text_id), post.row(text_id).why) == (
        "queued",
        "no list has a price for texts to CU, so no budget could hold",
    )


async def test_a_threshold_is_told_once_in_its_period_and_again_after_a_raise(make_post):
    post = make_post(budgets=[room_for(4)])
    assert await told(post, 3) == [50]
    assert await told(post, 1) == [100]
    assert await told(post, 3) == []
    raised(post, 4 * EACH)
    assert await told(post, 0) == [80], "7 of 8"
    post.clock.advance(seconds=86_400)
    assert await told(post, 2) == [50]


async def told(post, count):
    for n in range(count):
        post.say(f"text {n} {post.clock.now()}")
    with structlog.testing.capture_logs() as logs:
        await post.work(seconds=5)
        await post.work(seconds=5)
    return [entry["percent"] for entry in logs if entry["event"] == "budget_threshold"]


async def test_advertising_to_one_person_in_one_set_is_judged_with_what_left_before(make_post):
    post = make_post(budgets=[Budget(50)], marketing_caps=["1 per 24h"])
    for n in range(3):
        post.say(f"offer {n}", purpose=MARKETING)
    await post.work()
    assert len(post.screen()) == 1


async def test_a_loop_to_one_person_is_stopped_and_told_once(make_post):
    post = make_post(jumps=Jumps(contact=5), segments_per_second=1000)
    for n in range(9):
        post.say(f"loop {n}", purpose=REPLY)
    post.say("not a loop", to=CLEO)
    with structlog.testing.capture_logs() as logs:
        await post.work()
        await post.work(seconds=60)
    assert (len(post.screen(ANA)), len(post.screen(CLEO))) == (5, 1)
    [entry] = [entry for entry in logs if entry["event"] == "sudden_jump"]
    assert (entry["texts"], entry["usual"]) == (5, 0)
    whys = {row.why for row in post.rows(texts) if row.status == "queued"}
    assert whys == {"a sudden jump: 5 texts to this person in this hour, where 0.0 are usual"}
    await post.work(seconds=3600)
    assert len(post.screen(ANA)) == 9, "the next hour has room for four"


async def test_numbers_that_pump_are_stopped_by_their_block_and_others_are_not(make_post):
    post = make_post(jumps=Jumps(prefix=3), segments_per_second=1000, notices_need="none")
    for n in range(8):
        post.say("code 1234", to=f"+1646555{n:04}")
    post.say("code 1234", to=CLEO)
    await post.work()
    sent = [row.phone for row in post.rows(texts) if row.status == "sent"]
    assert (len(sent), CLEO in sent) == (4, True)
    counted = {row.key: row.sent for row in post.rows(hourly_sends) if not row.key.startswith("contact")}
    assert counted == {"country:US": 4, "prefix:+1646555": 3, f"prefix:{CLEO[:-4]}": 1}


async def test_as_many_times_the_usual_as_the_line_says_is_a_jump(make_post):
    post = make_post(jumps=Jumps(times=2, contact=1), segments_per_second=1000)
    for hour in range(3):
        for n in range(2):
            post.db.run_blocking(count_one, post, hour, n)
    for n in range(9):
        post.say(f"text {n}", purpose=REPLY)
    await post.work()
    await post.work(seconds=5)
    assert len(post.screen()) == 4  # twice the usual 2


def count_one(conn, post, hour, n):
    talk = find_or_start(conn, [("gym", ANA, GYM_NUMBER)], post.clock.now())["gym", ANA, GYM_NUMBER]
    hours.count(conn, "gym", {f"contact:{talk.contact_id}": 1}, hour_of(post.clock.now()) - timedelta(hours=hour + 1))


async def test_a_campaign_is_no_sudden_jump(make_post):
    post = make_post(jumps=Jumps(country=2, prefix=2), segments_per_second=1000)
    for n in range(5):
        post.say("Half price!", to=f"+1646555{n:04}", purpose=MARKETING)
    await post.work()
    assert statuses(post) == ["sent"] * 5


async def test_a_line_without_limits_asks_the_database_nothing_of_them_on_the_way_out(make_post):
    post, said = make_post(), []

    def note(conn, cursor, statement, *_):
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        text_id = post.say()
        await post.work()
        post.report("delivered", text_id=text_id, sid=post.row(text_id).sid)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert any("UPDATE texts" in each for each in said)
    assert [each for each in said if any(name in each for name in ("budgets", "reservations", "hourly"))] == []


async def test_budgets_of_days_long_past_go_and_those_for_all_time_stay(make_post):
    post = make_post(budgets=[room_for(9)])
    now = post.clock.now()

    def add(conn):
        old, young = first_id("txt", now - timedelta(days=93)), first_id("txt", now - timedelta(days=91))
        rows = [("d1", "2025-11-28"), ("d2", "2025-11-30"), ("m1", "2025-10"), ("m2", "2025-12"), ("a", "all")]
        conn.execute(budgets.insert(), [{"line": "gym", "scope": name, "period": period} for name, period in rows])
        given = [(f"{old}{n}", 0) for n in range(250)] + [("txt_0", 7), (young, 0)]
        conn.execute(
            reservations.insert(),
            [{"text_id": text_id, "line": "gym", "parts": [], "reserved_micros": n} for text_id, n in given],
        )

    await post.db.run(add)
    rounds = 1
    while await post.db.run(money.forget, now):
        rounds += 1
    assert rounds == 3
    assert sorted(row.scope for row in post.rows(budgets)) == ["a", "d2", "m2"]
    assert sorted(row.reserved_micros for row in post.rows(reservations)) == [0, 7], "what is still reserved stays"
