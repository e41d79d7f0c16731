"""What things cost, as the lists say."""

import csv
from datetime import date
from decimal import Decimal
from importlib.resources import files

import pytest

from replyline.costs.prices import BadPrices, Estimate, Price, Tokens, What, amount_of, micros, read_prices
from replyline.phone_numbers import SenderKind

TODAY = date(2026, 11, 25)
LONG = SenderKind.LONG_CODE


def of_text(what, *, country="US", sender=LONG, units=1, prices=None):
    return (prices or read_prices()).of_text(what, country=country, sender=sender, units=units, on=TODAY)


@pytest.mark.parametrize(
    ("what", "country", "units", "cost", "of_carriers"),
    [
        (What.SMS_OUT, "US", 1, "0.0128", "0.0045"),  # 0.0083, and what the dearest carrier takes
        (What.SMS_OUT, "US", 3, "0.0384", "0.0135"),
        (What.SMS_IN, "US", 2, "0.0166", "0"),
        (What.MMS_IN, "US", 1, "0.0165", "0"),
        (What.SMS_OUT, "CA", 1, "0.0138", "0.0055"),
        (What.SMS_OUT, "AD", 2, "0.2928", "0"),
    ],
)
def test_a_text_costs_its_segments_and_what_carriers_take(what, country, units, cost, of_carriers):
    found = of_text(what, country=country, units=units)
    assert (amount_of(found.micros), amount_of(found.carrier_micros)) == (Decimal(cost), Decimal(of_carriers))


@pytest.mark.parametrize(("what", "country"), [(What.SMS_OUT, "XX"), (What.SMS_OUT, None), (What.SMS_IN, "DE")])
def test_a_price_that_no_list_has_is_unknown_and_not_zero(what, country):
    assert of_text(what, country=country).micros is None


def test_a_failed_text_costs_the_fee_unless_twilio_says_it_does_not():
    prices = read_prices()
    assert prices.of_failure(30005, TODAY).micros == 1_000
    assert prices.of_failure(30008, TODAY).micros == 0


def test_a_number_has_a_rent():
    assert read_prices().of_number("US", SenderKind.TOLL_FREE, TODAY).micros == 2_150_000
    assert read_prices().of_number("US", SenderKind.SHORT_CODE, TODAY) == Estimate()


def test_tokens_cost_by_their_kind():
    used = Tokens(input=1_000_000, cached=400_000, cache_write=100_000, output=10_000)
    # 500,000 at 0.10, 400,000 at 0.01, 100,000 at 0.125, 10,000 at 0.50, each by the million
    assert amount_of(read_prices().of_answer("gpt-6-luna", used, TODAY).micros) == Decimal("0.0715")


def test_a_dated_name_of_a_model_has_the_price_of_its_model():
    used = Tokens(input=1000)
    assert read_prices().of_answer("gpt-6-luna-2026-10-01", used, TODAY).micros == 100


def test_a_model_that_no_list_has_costs_what_the_model_layer_says_or_is_unknown():
    used = Tokens(input=1000)
    assert read_prices().of_answer("my-llama", used, TODAY, said=7).micros == 7
    assert read_prices().of_answer("my-llama", used, TODAY).micros is None


def test_cached_tokens_of_a_model_whose_price_for_them_is_not_known_make_the_whole_unknown():
    used = Tokens(input=1000, cache_write=10)
    assert read_prices().of_answer("claude-haiku-5-5", used, TODAY).micros is None


def test_the_own_list_comes_before_the_fetched_one_and_that_before_the_shipped(tmp_path):
    (tmp_path / "texts.csv").write_text("what,country,amount,since\nsms_out,US,0.0050,2026-01-01\n")
    fetched = tuple(
        Price(
            what="sms_out", country=country, sender="*", amount=Decimal("0.007"), currency="USD", since=TODAY, source=""
        )
        for country in ("US", "AD")
    )
    prices = read_prices(tmp_path, fetched)
    assert of_text(What.SMS_OUT, prices=prices).micros == 5_000 + 4_500  # carriers take theirs all the same
    assert of_text(What.SMS_OUT, country="AD", prices=prices).micros == 7_000
    assert of_text(What.SMS_OUT, country="FR", prices=prices).micros == of_text(What.SMS_OUT, country="FR").micros


def test_the_own_list_prices_models_and_other_currencies(tmp_path):
    (tmp_path / "models.csv").write_text("model,input,output,since\nmy-llama,0,0.25,2026-01-01\n")
    (tmp_path / "texts.csv").write_text("what,country,amount,currency,since\nsms_out,DE,0.0712,EUR,2026-01-01\n")
    prices = read_prices(tmp_path)
    assert prices.of_answer("my-llama", Tokens(input=5, output=1000), TODAY).micros == 250
    assert of_text(What.SMS_OUT, country="DE", prices=prices) == Estimate(
        micros=71_200, carrier_micros=0, currency="EUR"
    )


def test_a_price_holds_from_its_day_on(tmp_path):
    rows = ["what,country,amount,since", "sms_in,US,0.004,2026-01-01", "sms_in,US,0.006,2026-06-01"]
    (tmp_path / "texts.csv").write_text("\n".join(rows))
    prices = read_prices(tmp_path)
    found = [prices.find("sms_in", "US", LONG, date(2026, month, 1)).amount for month in (1, 5, 6, 12)]
    assert found == [Decimal("0.004"), Decimal("0.004"), Decimal("0.006"), Decimal("0.006")]


def test_a_fee_that_is_charged_and_that_nobody_knows_makes_the_price_unknown(tmp_path):
    (tmp_path / "texts.csv").write_text("what,country,amount,since\nsms_out_fee,US,,2026-01-01\n")
    assert of_text(What.SMS_OUT, prices=read_prices(tmp_path)) == Estimate()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("country,amount\nUS,1\n", "first line that names its columns"),
        ("what,country,amount,since\nsms_out,US,cheap,2026-01-01\n", "line 2"),
        ("what,country,amount,since\nsms_out,US,-1,2026-01-01\n", "line 2"),
        ("what,country,amount,since\nsms_out,US,1,last year\n", "line 2"),
        ("what,country,amount,since\nfax_out,US,1,2026-01-01\n", "line 2"),
    ],
)
def test_a_list_that_cannot_be_used_says_where(tmp_path, written, said):
    (tmp_path / "texts.csv").write_text(written)
    with pytest.raises(BadPrices, match=said):
        read_prices(tmp_path)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BadPrices, match="no folder"):
        read_prices(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["texts.csv", "models.csv"])
def test_every_shipped_price_has_a_date_and_says_how_far_its_source_is_to_be_trusted(name):
    written = files("replyline.costs").joinpath("data", name).read_text(encoding="utf-8")
    for row in csv.DictReader(written.splitlines()):
        assert date.fromisoformat(row["since"]) <= TODAY
        assert row["trust"] in {"D", "H", "T", "U"}
        assert row["source"].startswith("unsourced") == (row["trust"] == "U"), row


def test_halves_of_a_micro_are_rounded_up():
    assert (micros(Decimal("0.0000005")), micros(Decimal("0.00000049"))) == (1, 0)
