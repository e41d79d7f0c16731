"""Twilio's Pricing API: fetched, dated, kept, and gone by."""

from datetime import date
from decimal import Decimal

from sqlalchemy import select

from replyline.costs.book import PriceBook, fetched
from replyline.costs.fetching import fetch
from replyline.costs.prices import What
from replyline.db.tables import fetched_prices
from replyline.phone_numbers import SenderKind
from replyline.simulator import Policy, Tariff


def tariff(sms_out, **more):
    return Policy(tariff=Tariff(countries={"US": {"sms_out": sms_out, "sms_in": "0.0075"}}, **more))


def kept(db):
    rows = db.run_blocking(lambda conn: conn.execute(select(fetched_prices)).all())
    return sorted((row.what, row.country, row.amount, row.currency, row.since) for row in rows)


async def test_prices_are_fetched_and_kept_with_their_day(post):
    post.twilio.policy = tariff("0.0071")
    assert await fetch(post.db, post.client, ["US", "FR"], post.clock.now()) == 1
    assert kept(post.db) == [
        ("sms_in", "US", "0.0075", "USD", "2026-03-02"),
        ("sms_out", "US", "0.0071", "USD", "2026-03-02"),
    ]


async def test_fetched_prices_come_before_the_shipped_ones_and_carriers_take_theirs(post):
    post.twilio.policy = tariff("0.0071")
    await fetch(post.db, post.client, ["US"], post.clock.now())
    book = PriceBook()
    book.take(post.db.run_blocking(fetched))
    day = date(2026, 3, 3)
    found = book.now.of_text(What.SMS_OUT, country="US", sender=SenderKind.LONG_CODE, units=1, on=day)
    assert (found.micros, found.carrier_micros) == (11_600, 4_500)


async def test_a_price_that_stays_keeps_its_day_and_one_that_changes_gets_a_new_one(post):
    post.twilio.policy = tariff("0.0071")
    await fetch(post.db, post.client, ["US"], post.clock.now())
    post.clock.advance(days=1)
    await fetch(post.db, post.client, ["US"], post.clock.now())
    post.clock.advance(days=1)
    post.twilio.policy = tariff("0.0099")
    await fetch(post.db, post.client, ["US"], post.clock.now())
    assert [row[2:] for row in kept(post.db) if row[0] == "sms_out"] == [
        ("0.0071", "USD", "2026-03-02"),
        ("0.0099", "USD", "2026-03-04"),
    ]
    book = PriceBook()
    book.take(post.db.run_blocking(fetched))
    prices = [book.now.find("sms_out", "US", SenderKind.LONG_CODE, date(2026, 3, day)).amount for day in (3, 4)]
    assert prices == [Decimal("0.0071"), Decimal("0.0099")]


async def test_prices_of_an_account_in_euros_stay_in_euros(post):
    post.twilio.policy = tariff("0.0065", currency="EUR")
    await fetch(post.db, post.client, ["US"], post.clock.now())
    assert {row[3] for row in kept(post.db)} == {"EUR"}


async def test_the_countries_that_were_texted_are_asked_about_too(post):
    post.twilio.policy = tariff("0.0071")
    post.say()
    await post.work()
    assert await fetch(post.db, post.client, [], post.clock.now()) == 1
