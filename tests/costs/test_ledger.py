"""Charges: written once with what causes them, corrected by Twilio's prices, and summed to the micro-dollar."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from replyline.costs import ledger, sums
from replyline.costs.charge import Charge, Kind
from replyline.costs.ledger import Priced
from replyline.costs.prices import read_prices
from replyline.costs.views import dearest_talks, view
from replyline.db.tables import charge_days, charge_talks, charges
from replyline.inbound.receive import receive
from tests.support.cast import ANA, CLEO, MONDAY, a_sid, an_arrival

DAY = MONDAY.date()


def rows(db, table=charges):
    return db.run_blocking(lambda conn: conn.execute(select(table)).all())


def total(db, *, by=(), since=DAY, until=DAY, line="gym"):
    return db.run_blocking(view, line, by=by, since=since, until=until)


def spent(db, **given):
    return sum(row.figures.cost_micros for row in total(db, **given))


def of_rows(db):
    return sum(row.price_micros if row.price_micros is not None else row.estimate_micros or 0 for row in rows(db))


def a_charge(n=0, **given):
    facts = {"of_id": f"txt_{n}", "kind": Kind.SMS_OUT, "line": "gym", "at": MONDAY, "conversation_id": "cnv_ana"}
    return Charge(
        **facts | {"country": "US", "sender": "+1", "purpose": "marketing", "estimate_micros": 12_800} | given
    )


def test_a_text_that_comes_in_is_charged_with_it(db):
    db.run_blocking(receive, [an_arrival("Hi", segments=2), an_arrival("Hi", phone=CLEO)])
    found = sorted((row.kind, row.units, row.estimate_micros, row.country, row.purpose) for row in rows(db))
    assert found == [("sms_in", 1, 8_300, "US", "inbound"), ("sms_in", 2, 16_600, "US", "inbound")]
    assert spent(db) == 24_900


def test_a_redelivered_webhook_is_charged_once(db):
    sid = a_sid()
    db.run_blocking(receive, [an_arrival("Hi", sid=sid), an_arrival("Hi", sid=sid)])
    db.run_blocking(receive, [an_arrival("Hi", sid=sid)])
    assert [row.units for row in rows(db)] == [1]
    assert spent(db) == 8_300


async def test_a_text_that_twilio_takes_is_charged_with_what_it_is_about(post):
    text_id = post.say("a" * 200)
    await post.work()
    [row] = rows(post.db)
    assert (row.of_id, row.kind, row.units, row.estimate_micros, row.carrier_micros) == (
        (text_id, "sms_out", 2, 25_600, 9_000)
    )
    assert (row.line, row.country, row.purpose, row.conversation_id) == (
        ("gym", "US", "transactional", post.row(text_id).conversation_id)
    )
    assert row.price_micros is None


async def test_a_text_that_twilio_refuses_costs_nothing(post):
    post.twilio.opt_out(ANA, post.twilio.numbers[0])
    text_id = post.say()
    await post.work()
    assert post.status(text_id) == "failed"
    assert rows(post.db) == []


async def test_a_text_that_fails_at_twilio_costs_its_fee_instead_of_its_price(post):
    text_id = post.say()
    await post.work()
    post.report("failed", sid=post.row(text_id).sid, text_id=text_id, error_code=30005)
    found = {row.kind: (row.estimate_micros, row.price_micros) for row in rows(post.db)}
    assert found == {"sms_out": (12_800, 0), "failed": (1_000, None)}
    assert spent(post.db) == 1_000


async def test_a_callback_that_comes_before_the_answer_charges_once(post):
    text_id = post.say()
    post.report("sent", sid=a_sid(), text_id=text_id)
    post.report("delivered", sid=a_sid(), text_id=text_id)
    assert [row.of_id for row in rows(post.db)] == [text_id]
    assert spent(post.db) == 12_800


def test_a_charge_that_is_there_stays_and_counts_once(db):
    db.run_blocking(ledger.charge, [a_charge(), a_charge(estimate_micros=1), a_charge(1)])
    db.run_blocking(ledger.charge, [a_charge(estimate_micros=99), a_charge(2)])
    assert sorted(row.estimate_micros for row in rows(db)) == [12_800] * 3
    assert spent(db) == of_rows(db) == 38_400


def test_twilios_price_takes_the_place_of_the_estimate_and_the_difference_shows(db):
    db.run_blocking(ledger.charge, [a_charge(look_at=MONDAY), a_charge(1, look_at=MONDAY)])
    assert db.run_blocking(ledger.set_prices, [Priced(text_id="txt_0", micros=11_800, currency="USD")]) == 1
    [row] = total(db)
    found = row.figures
    assert (found.cost_micros, found.estimated_micros, found.difference_micros) == (24_600, 25_600, -1_000)
    assert found.unpriced == 1


def test_the_same_price_again_changes_nothing(db):
    db.run_blocking(ledger.charge, [a_charge()])
    price = [Priced(text_id="txt_0", micros=11_800, currency="USD")]
    db.run_blocking(ledger.set_prices, price)
    before = rows(db, charge_days)
    assert db.run_blocking(ledger.set_prices, price) == 0
    assert rows(db, charge_days) == before


def test_a_price_in_another_currency_stays_in_it(db):
    db.run_blocking(ledger.charge, [a_charge()])
    db.run_blocking(ledger.set_prices, [Priced(text_id="txt_0", micros=9_000, currency="EUR")])
    found = {row.currency: (row.figures.cost_micros, row.figures.estimated_micros) for row in total(db)}
    assert found == {"EUR": (9_000, 0), "USD": (0, 12_800)}


def test_a_price_moves_a_charge_to_the_day_twilio_bills_it_on(db):
    db.run_blocking(ledger.charge, [a_charge()])
    yesterday = MONDAY - timedelta(days=1)
    db.run_blocking(ledger.set_prices, [Priced(text_id="txt_0", micros=1, currency="USD", at=yesterday)])
    assert spent(db) == 0
    assert spent(db, since=yesterday.date(), until=yesterday.date()) == 1


def test_a_price_that_nobody_knows_is_counted_and_not_summed(db):
    db.run_blocking(ledger.charge, [a_charge(), a_charge(1, estimate_micros=None)])
    [row] = total(db)
    assert (row.figures.charges, row.figures.cost_micros, row.figures.unknown) == (2, 12_800, 1)


def test_a_charge_that_was_another_texts_is_taken_back(db):
    db.run_blocking(ledger.charge, [a_charge(), a_charge(1)])
    db.run_blocking(ledger.take_back, ["txt_0"])
    assert spent(db) == of_rows(db) == 12_800
    assert total(db)[0].figures.charges == 1


def many(db):
    """Charges of three months, some priced, some failed."""
    made = [
        a_charge(
            n,
            at=MONDAY + timedelta(days=n),
            country="US" if n % 3 else "CA",
            conversation_id=f"cnv_{n % 7}",
            campaign="spring" if n % 5 == 0 else "",
            estimate_micros=None if n % 11 == 0 else 1_000 + n,
        )
        for n in range(70)
    ]
    db.run_blocking(ledger.charge, made)
    db.run_blocking(ledger.set_prices, [Priced(text_id=f"txt_{n}", micros=n, currency="USD") for n in range(0, 70, 4)])
    db.run_blocking(ledger.fail, {f"txt_{n}": 30005 for n in range(1, 70, 9)}, read_prices(), MONDAY)


VIEWS = [
    {"by": ("day",), "since": DAY, "until": date(2026, 4, 10)},
    {"by": ("month", "country"), "since": date(2026, 3, 1), "until": date(2026, 5, 31)},
    {"by": ("campaign",), "since": date(2026, 3, 20), "until": date(2026, 5, 4)},
    {"by": (), "since": date(2026, 3, 3), "until": date(2026, 3, 9)},
    {"by": ("kind", "sender", "purpose", "model"), "since": date(2025, 1, 1), "until": date(2027, 12, 31)},
]


@pytest.mark.parametrize("asked", VIEWS)
def test_folding_changes_no_figure(db, asked):
    many(db)
    before = total(db, **asked)
    assert before
    assert db.run_blocking(sums.fold) is False
    assert total(db, **asked) == before
    assert all(row.is_folded for row in rows(db, charge_days))
    db.run_blocking(ledger.charge, [a_charge(100, at=MONDAY + timedelta(days=40))])
    db.run_blocking(sums.fold)
    whole = total(db, by=(), since=date(2025, 1, 1), until=date(2027, 12, 31))
    assert sum(row.figures.cost_micros for row in whole) == of_rows(db)


@pytest.mark.parametrize("period", ["2026", "2026-03", "2026-05"])
def test_the_dearest_conversations_are_the_same_before_and_after_folding(db, period):
    many(db)
    before = db.run_blocking(dearest_talks, "gym", period, 3)
    db.run_blocking(sums.fold)
    assert db.run_blocking(dearest_talks, "gym", period, 3) == before
    # Half folded: the first loses what it had.
    if before:
        first = [row.of_id for row in rows(db) if row.conversation_id == before[0].conversation_id]
        free = [Priced(text_id=each, micros=0, currency="USD") for each in first]
        db.run_blocking(ledger.set_prices, free)
        left = db.run_blocking(dearest_talks, "gym", period, 3)
        db.run_blocking(sums.fold)
        assert db.run_blocking(dearest_talks, "gym", period, 3) == left
        assert left[0].conversation_id != before[0].conversation_id


def test_talks_of_a_year_are_folded_too(db):
    many(db)
    db.run_blocking(sums.fold)
    assert {row.period for row in rows(db, charge_talks)} == {"2026", "2026-03", "2026-04", "2026-05"}
