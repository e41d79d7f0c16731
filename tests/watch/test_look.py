"""A look each minute: from rows to what people are told."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text, update

from replyline.alerts import Level, raise_alert, tallies
from replyline.alerts.raising import going_on
from replyline.db.tables import alert_tellings, backfill_marks, budgets, texts, turns, work
from replyline.watch import gather as gathering
from replyline.watch.look import KIND, Look, begin, look
from replyline.work import claim
from replyline.work.worker import Pool, Worker
from tests.support.cast import ANA, GYM_NUMBER
from tests.support.post import make_post, post

__all__ = ["make_post", "post"]


def looks(post, *, minutes=2):
    """Look each minute for so long; gives what goes on."""
    for _ in range(minutes):
        post.clock.advance(minutes=1)
        post.db.run_blocking(look, post.clock.now())
    return [alert.key for alert in post.db.run_blocking(going_on)]


def ended(post, how_many, status, error_code=None, body="See you at six."):
    """So many texts that ended just now."""
    text_id = post.say(body)
    post.db.run_blocking(end, text_id, how_many, status, error_code, post.clock.now())


def end(conn, text_id, how_many, status, error_code, now):
    conn.execute(update(texts).where(texts.c.id == text_id).values(status=status, error_code=error_code, status_at=now))
    row = dict(conn.execute(select(texts).where(texts.c.id == text_id)).one()._mapping)
    more = [row | {"id": f"{text_id}{n}"} for n in range(how_many - 1)]
    if more:
        conn.execute(insert(texts), more)
    conn.execute(work.delete())  # nobody sends in these tests


def told(post):
    rows = post.db.run_blocking(lambda conn: conn.execute(select(alert_tellings).order_by(alert_tellings.c.id)).all())
    return [(row.key, row.event) for row in rows]


def test_a_server_that_is_well_tells_nothing(post):
    ended(post, 200, "delivered")
    assert looks(post, minutes=90) == []
    assert told(post) == []


def test_a_bad_rate_of_delivery_is_told_once_and_is_over_when_its_hour_is(post):
    ended(post, 80, "delivered")
    ended(post, 20, "undelivered", 30003)
    assert looks(post) == ["delivery"]
    assert looks(post, minutes=55) == ["delivery"]
    assert looks(post, minutes=30) == []
    assert told(post) == [("delivery", "began"), ("delivery", "ended")]


def test_texts_are_counted_once_however_often_somebody_looks(post):
    ended(post, 60, "delivered")
    ended(post, 3, "failed", 30007)
    looks(post, minutes=5)
    post.db.run_blocking(look, post.clock.now())
    facts = post.db.run_blocking(gathering.gather, post.clock.now())
    assert (facts.delivered, facts.failed, facts.errors) == (60, 3, {30007: 3})


def test_texts_in_doubt_are_counted_once_in_a_minute(post):
    ended(post, 3, "unknown")
    for _ in range(5):
        looks(post, minutes=1)
        post.db.run_blocking(look, post.clock.now())
    post.clock.advance(minutes=10)
    facts = post.db.run_blocking(gathering.gather, post.clock.now())
    assert (facts.unknown, facts.unknown_before) == (3, 3)


def test_what_ends_while_nobody_looks_is_counted_afterwards(post):
    looks(post)
    post.clock.advance(minutes=20)
    ended(post, 2, "failed", 30034)
    post.clock.advance(minutes=20)
    assert looks(post, minutes=1) == ["error 30034"]


def test_a_text_that_waits_because_of_our_credentials_is_told(post):
    text_id = post.say()
    held = update(texts).where(texts.c.id == text_id).values(error_code=20003)
    post.db.run_blocking(lambda conn: conn.execute(held))
    assert "error 20003" in looks(post, minutes=1)


def test_people_who_had_opted_out_with_twilio_are_a_spike_only_against_what_is_usual(post):
    now = post.clock.now()
    usual = [(tallies.add, {"error 21610": 12}, now - timedelta(hours=hours)) for hours in range(2, 26)]
    for add, counts, at in usual:
        post.db.run_blocking(add, counts, at)
    ended(post, 12, "failed", 21610)
    assert looks(post) == []
    ended(post, 25, "failed", 21610)
    assert looks(post) == ["opt-outs"]


def test_texts_in_doubt_are_told_when_they_grow_and_get_worse_when_they_are_old(post):
    looks(post, minutes=15)
    ended(post, 6, "unknown")
    assert looks(post, minutes=1) == ["doubt"]
    looks(post, minutes=12)
    assert told(post) == [("doubt", "began"), ("doubt", "worse")]


@pytest.mark.parametrize(("outcome", "level"), [("model_refused", "wrong"), ("trouble", "look")])
def test_turns_that_the_model_failed_are_told(post, outcome, level):
    post.say()
    conversation = post.rows(texts)[0].conversation_id
    now = post.clock.now()
    row = {"id": "trn_1", "line": "gym", "conversation_id": conversation, "state": "failed", "outcome": outcome}
    post.db.run_blocking(
        lambda conn: conn.execute(insert(turns).values(row | {"created_at": now, "deadline_at": now, "ended_at": now}))
    )
    looks(post, minutes=1)
    [alert] = [each for each in post.db.run_blocking(going_on) if each.key == "model"]
    assert alert.level == level


def test_turns_that_are_tried_again_and_turns_that_nobody_takes_are_told(post):
    now = post.clock.now()
    rows = [
        {"kind": "turn", "key": f"cnv_{n}", "since": now, "due": now + timedelta(days=1), "attempts": 3}
        for n in range(3)
    ]
    post.db.run_blocking(lambda conn: conn.execute(insert(work), rows))
    assert looks(post) == ["model"]
    post.db.run_blocking(lambda conn: conn.execute(update(work).values(due=now)))
    assert looks(post) == ["model", "work turn"] or looks(post) == ["work turn", "model"]


def test_webhooks_that_could_not_store_are_told(post):
    post.db.run_blocking(tallies.add, {"texts_not_stored": 1}, post.clock.now())
    assert looks(post, minutes=1) == ["webhooks"]
    assert looks(post, minutes=30) == []


def test_twilio_is_told_to_be_away_when_its_list_cannot_be_read_again_and_again(post):
    now = post.clock.now()
    mark = {"line": "gym", "our_address": "", "began_at": now, "seen_until": now}
    row = {"kind": "backfill", "key": "gym", "since": now, "due": now + timedelta(hours=9), "attempts": 6}
    post.db.run_blocking(lambda conn: conn.execute(insert(backfill_marks).values(mark)))
    post.db.run_blocking(lambda conn: conn.execute(insert(work).values(row)))
    assert looks(post, minutes=10) == []
    assert looks(post, minutes=1) == ["twilio"]


def test_what_is_told_names_nobody_and_quotes_nobody(post):
    """Everything goes wrong at once, with people in every row."""
    now = post.clock.now()
    for code in (30007, 30034, 21610, 20003):
        ended(post, 40, "failed", code, body="My secret is kept.")
    ended(post, 9, "unknown", body="My secret is kept.")
    post.clock.advance(minutes=20)
    counts = {"texts_not_stored": 3, "reports_not_stored": 3, "wrongly_signed": 9, "ends_found": 9}
    post.db.run_blocking(tallies.add, counts, post.clock.now())
    row = {"kind": "turn", "key": ANA, "since": now, "due": now}
    post.db.run_blocking(lambda conn: conn.execute(insert(work).values(row)))
    post.db.run_blocking(lambda conn: conn.execute(update(texts).values(found_at=post.clock.now(), why=ANA)))
    assert len(looks(post)) >= 10
    says = str(post.rows(alert_tellings))
    for private in (ANA, GYM_NUMBER, ANA[-10:], "secret", "See you"):
        assert private not in says
    assert not re.search(r"\+\d{7}", says)


def test_what_others_raised_is_not_ended_by_a_look_and_is_told_again_each_day(post):
    post.db.run_blocking(raise_alert, "budget", Level.LOOK, "Most of it is spent.", now=post.clock.now())
    assert looks(post, minutes=30) == ["budget"]
    post.clock.advance(days=1)
    looks(post, minutes=30)
    assert told(post) == [("budget", "began"), ("budget", "still")]


async def test_one_process_at_a_time_looks_each_minute(post):
    post.db.run_blocking(begin, post.clock.now())
    post.db.run_blocking(begin, post.clock.now())
    ended_rows = [{"kind": "turn", "key": "cnv_1", "since": post.clock.now(), "due": post.clock.now()}]
    post.db.run_blocking(lambda conn: conn.execute(insert(work), ended_rows))
    worker = Worker(post.db, post.clock, [Pool(kinds={KIND: Look(post.db, post.clock)}, at_once=5)])
    for _ in range(5):
        post.clock.advance(minutes=1)
        await worker.work_until_idle()
    assert told(post) == [("work turn", "began")]
    rows = [row for row in post.rows(work) if row.kind == KIND]
    assert len(rows) == 1
    assert rows[0].due == post.clock.now() + timedelta(minutes=1)


async def test_a_look_whose_lease_was_lost_tells_nothing(post):
    post.db.run_blocking(begin, post.clock.now())
    post.db.run_blocking(tallies.add, {"texts_not_stored": 1}, post.clock.now())
    post.clock.advance(minutes=1)
    [job] = post.db.run_blocking(claim, owner="one", kinds=[KIND], limit=1, now=post.clock.now())
    post.clock.advance(minutes=1)
    assert post.db.run_blocking(claim, owner="other", kinds=[KIND], limit=1, now=post.clock.now())
    with pytest.raises(Exception, match="belongs to another worker"):
        await Look(post.db, post.clock)(job)
    assert told(post) == []


@pytest.mark.parametrize(
    ("statement", "index"),
    [("ENDED", "ix_texts_ended"), ("HELD", "ix_texts_held_by_an_error"), ("FAILED", "ix_turns_failed")],
)
def test_a_look_reads_indexes_and_not_tables(post, statement, index):
    def plan(conn):
        sql = getattr(gathering, statement).compile(dialect=conn.dialect)
        given = dict.fromkeys(sql.params, 0)
        if conn.dialect.name == "postgresql":
            conn.execute(text("SET LOCAL enable_seqscan = off"))
            return str(conn.exec_driver_sql(f"EXPLAIN {sql}", given).all())
        return str(conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (0,) * len(given)).all())

    assert index in post.db.run_blocking(plan)


def test_a_threshold_of_a_budget_is_told_once_and_is_over_with_its_day(post):
    day = f"{post.clock.now():%Y-%m-%d}"
    rows = [
        {"line": "gym", "scope": scope, "period": period, "spent_micros": 900_000, "alerted": 80}
        for scope, period in (("line", day), ("contact:con_1", day), ("line", "2020-01-01"))
    ]
    post.db.run_blocking(lambda conn: conn.execute(insert(budgets), rows) and None)
    keys = [f"budget line {day} {percent}%" for percent in (50, 80)]
    assert sorted(looks(post)) == keys
    assert sorted(told(post)) == [(key, "began") for key in keys]
    post.clock.advance(hours=24)
    assert looks(post, minutes=12) == []
