"""Budgets as arithmetic: periods in the line's time zone, what is left, and what a text may cost at most."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from replyline.costs.allowance import allowance, at_most, dearest_answer, dollars, of_a_text, period_of
from replyline.costs.charge import Carried
from replyline.costs.prices import Tokens, read_prices
from replyline.plugins.budgets import BadBudget, Budget, Jumps
from replyline.plugins.line import BadLine
from tests.support.cast import GYM_NUMBER, MONDAY, a_line

CUBA = "+5351234567"
LA = "America/Los_Angeles"


@pytest.mark.parametrize(
    ("per", "zone", "now", "period", "ends"),
    [
        ("day", LA, "2026-03-02 18:00", "2026-03-02", "2026-03-03 08:00"),
        ("day", LA, "2026-03-02 07:59", "2026-03-01", "2026-03-02 08:00"),
        ("day", LA, "2026-03-08 09:00", "2026-03-08", "2026-03-09 07:00"),  # the clocks go forward: 23 hours
        ("day", "Pacific/Kiritimati", "2026-03-02 11:00", "2026-03-03", "2026-03-03 10:00"),
        ("month", LA, "2026-03-01 07:00", "2026-02", "2026-03-01 08:00"),
        ("month", LA, "2026-12-31 20:00", "2026-12", "2027-01-01 08:00"),
        ("all", LA, "2026-03-02 18:00", "all", "2026-04-01 18:00"),
    ],
)
def test_a_period_is_a_day_or_a_month_where_the_line_is(per, zone, now, period, ends):
    found = period_of(per, zone, moment(now))
    assert found == (period, moment(ends))


def moment(words):
    return datetime.fromisoformat(words).replace(tzinfo=UTC)


def test_a_share_is_kept_for_replies_of_what_a_person_has_raised_too():
    half = replace(allowance(Budget(10, for_replies=0.5), "gym", "line", LA, MONDAY), spent=4_000_000)
    assert (half.room(is_reply=False), half.room(is_reply=True)) == (1_000_000, 6_000_000)
    raised = replace(half, raised=10_000_000)
    assert (raised.room(is_reply=False), raised.room(is_reply=True)) == (6_000_000, 16_000_000)


@pytest.mark.parametrize(
    ("used", "threshold"), [(0, 0), (499_999, 0), (500_000, 50), (799_999, 50), (800_000, 80), (1_000_000, 100)]
)
def test_what_is_reserved_counts_towards_a_threshold(used, threshold):
    assert replace(allowance(Budget(1), "gym", "line", LA, MONDAY), reserved=used).threshold == threshold


def test_a_text_takes_from_every_budget_it_is_the_business_of():
    budgets = [
        Budget(50),
        Budget(500, per="month"),
        Budget(5, of="campaign"),
        Budget(9, of="campaign", per="all", campaign="offers"),
        Budget(9, of="campaign", per="month", campaign="others"),
        Budget("0.50", of="contact"),
        Budget(3, of="model"),
    ]
    given = {"contact_id": "con_1", "now": MONDAY}
    assert [each.key[1:] for each in of_a_text(budgets, "gym", LA, campaign="offers", **given)] == [
        ("line", "2026-03-02"),
        ("line", "2026-03"),
        ("campaign:offers", "2026-03-02"),
        ("campaign:offers", "all"),
        ("contact:con_1", "2026-03-02"),
    ]
    assert len(list(of_a_text(budgets, "gym", LA, campaign="", **given))) == 3


def a_carried(phone, **given):
    facts = {"id": "txt_1", "line": "gym", "conversation_id": "cnv_1", "is_inbound": False, "our_address": GYM_NUMBER}
    rest = {"messaging_service_sid": None, "has_pictures": False, "purpose": "transactional", "program": None}
    return Carried(**facts | rest | {"phone": phone, "segments": 2, "at": MONDAY} | given)


HEAD = "what,country,sender,amount,currency,since\n"
PRICES = {
    "no price": "sms_out,GB,long_code,,USD,2026-01-01\nsms_out,GB,short_code,0.07,USD,2026-01-01\n",
    "other currency": "sms_out,GB,*,5,JPY,2026-01-01\n",
}


def test_a_text_whose_price_is_known_reserves_that():
    assert at_most(a_carried("+12125550101"), read_prices()) == 25_600


@pytest.mark.parametrize("which", PRICES)
def test_a_text_of_no_known_price_reserves_the_dearest_of_its_country(tmp_path, which):
    (tmp_path / "texts.csv").write_text(HEAD + PRICES[which])
    prices = read_prices(tmp_path)
    known = [row.amount for layer in prices.texts for row in layer.get(("sms_out", "GB"), ()) if row.currency == "USD"]
    dearest = max(amount for amount in known if amount is not None)
    assert at_most(a_carried("+447400123456"), prices) == 2 * dearest * 1_000_000


def test_nothing_is_known_of_a_country_that_no_list_has():
    assert at_most(a_carried(CUBA), read_prices()) is None


def test_an_answer_of_no_known_price_counts_as_the_dearest_models():
    prices = read_prices()
    used = Tokens(input=1_000_000, output=1_000_000)
    dearest = max(row.input + row.output for rows in prices.models.values() for row in rows)
    assert 0 < dearest_answer(prices, used, date(2026, 3, 2)) <= dearest * 1_000_000


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"amount": 0.5}, "float"),
        ({"amount": "fifty"}, "dollars"),
        ({"amount": "-1"}, "at least 0"),
        ({"amount": "NaN"}, "at least 0"),
        ({"amount": 1, "per": "week"}, "week"),
        ({"amount": 1, "of": "everything"}, "everything"),
        ({"amount": 1, "campaign": "offers"}, "of='campaign'"),
        ({"amount": 1, "for_replies": 2}, "for_replies"),
        ({"amount": 1, "of": "model", "for_replies": 0.5}, "for_replies"),
    ],
)
def test_a_budget_that_could_not_hold_is_refused_at_the_start(given, word):
    with pytest.raises(BadBudget, match=word):
        Budget(**given)


def test_a_line_has_one_budget_of_a_kind_and_says_what_becomes_of_replies():
    with pytest.raises(BadBudget, match="two budgets"):
        a_line(budgets=[Budget(1), Budget(2)])
    with pytest.raises(BadLine, match="replies_at_limit"):
        a_line(replies_at_limit="hope")
    with pytest.raises(BadBudget):
        Jumps(contact=0)


def test_a_line_with_budgets_looks_for_sudden_jumps_and_others_do_not():
    assert a_line().jumps is None
    assert a_line(budgets=[Budget(1)]).jumps == Jumps()


@pytest.mark.parametrize(("micros", "words"), [(50_000_000, "$50.00"), (12_800, "$0.0128"), (0, "$0.00")])
def test_money_is_written_to_the_last_micro(micros, words):
    assert dollars(micros) == words


def test_an_amount_is_kept_in_whole_micros():
    assert Budget(Decimal("0.0000019")).micros == 1
