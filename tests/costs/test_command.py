"""`replyline costs`: the figures, as people and programs read them."""

import csv
import io
import json
from datetime import date
from decimal import Decimal

import click
import pytest
from click.testing import CliRunner

from replyline.cli import main
from replyline.commands.costs import days_in, money, period, whole
from replyline.costs import bill, ledger
from replyline.costs.charge import Kind
from replyline.costs.ledger import Priced
from replyline.twilio.client import Usage
from tests.costs.test_ledger import a_charge
from tests.support.cast import MONDAY

LINE = "tests.costs.shop:line"


@pytest.fixture
def run(database_url, db, monkeypatch):
    from replyline.plugins.load import load_line

    key = load_line(LINE).key
    db.run_blocking(
        ledger.charge,
        [
            a_charge(line=key),
            a_charge(1, line=key, country="CA", estimate_micros=None, campaign="spring", conversation_id="cnv_bo"),
            a_charge(2, line=key, kind=Kind.MODEL, model="gpt-6-luna", estimate_micros=150),
        ],
    )
    db.run_blocking(ledger.set_prices, [Priced(text_id="txt_0", micros=11_800, currency="USD")])
    monkeypatch.setenv("REPLYLINE_DATABASE_URL", database_url)

    def run(*words):
        done = CliRunner().invoke(
            main, ["costs", "--line", LINE, *words] if words[:1] != ("bill",) else ["costs", *words]
        )
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_the_table_says_what_was_spent_and_how_many_prices_nobody_knows(run):
    shown = run("--since", "2026-03", "--by", "country")
    assert [each.split()[0] for each in shown.splitlines()[1:]] == ["country", "CA", "US", "1"]
    assert "0.011950" in shown
    assert "1 of these have no known price" in shown


def test_json_has_every_figure_as_an_exact_decimal(run):
    said = json.loads(run("--since", "2026-03", "--format", "json", "--by", "model"))
    assert (said["since"], said["until"]) == ("2026-03-01", "2026-03-31")
    by_model = {row["model"]: row for row in said["rows"]}
    assert by_model["gpt-6-luna"]["cost"] == "0.000150"
    assert (by_model[""]["cost"], by_model[""]["estimated"], by_model[""]["difference"]) == (
        ("0.011800", "0.012800", "-0.001000")
    )


def test_csv_can_be_read_back(run):
    rows = list(
        csv.DictReader(io.StringIO(run("--since", "2026", "--format", "csv", "--by", "month", "--by", "campaign")))
    )
    assert sorted((row["month"], row["campaign"], Decimal(row["cost"])) for row in rows) == [
        ("2026-03", "", Decimal("0.01195")),
        ("2026-03", "spring", Decimal(0)),
    ]


def test_the_dearest_conversation_comes_first(run):
    said = json.loads(run("--since", "2026-03", "--format", "json", "--by", "conversation"))
    assert [(row["conversation"], row["cost"]) for row in said["rows"]] == [
        ("cnv_ana", "0.011950"),
        ("cnv_bo", "0.000000"),
    ]


def test_the_bill_stands_beside_the_ledger(run, db):
    day = MONDAY.date()
    usage = [
        Usage(day=day, category=name, price=Decimal(price), currency="USD", count=1)
        for name, price in [("sms", "0.0083"), ("sms-messages-carrierfees", "0.0040"), ("phonenumbers", "1.15")]
    ]
    db.run_blocking(bill.keep, usage, MONDAY)
    found = db.run_blocking(bill.compared, day, "texts")
    assert (found.billed, found.ours, found.difference) == (12_300, 11_800, 500)
    db.run_blocking(bill.adjust, "texts", day)
    [row] = json.loads(run("bill", "--line", LINE, "--since", "2026-03", "--format", "json"))["rows"]
    assert row == {
        "day": "2026-03-02",
        "currency": "USD",
        "texts_billed": "0.012300",
        "carrier_fees_in_it": "0.004000",
        "failed_billed": "0.000000",
        "numbers_billed": "1.150000",
        "texts_ours": "0.011800",
        "failed_ours": "0.000000",
        "adjusted": "0.000500",
    }


def test_the_prices_that_hold_are_shown_with_their_source(run):
    done = CliRunner().invoke(main, ["costs", "prices", "--line", LINE, "us", "--format", "json"])
    rows = json.loads(done.stdout)["rows"]
    assert {"country": "US", "what": "sms_out", "amount": "0.0083"}.items() <= rows[0].items()
    assert all(row["source"] and row["since"] for row in rows)


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (None, None, ("2026-11-01", "2026-11-25")),
        ("2026-02", None, ("2026-02-01", "2026-02-28")),
        ("2026", None, ("2026-01-01", "2026-12-31")),
        ("2026-12", None, ("2026-12-01", "2026-12-31")),
        ("2026-02-03", None, ("2026-02-03", "2026-11-25")),
        ("2026-02-03", "2026-03", ("2026-02-03", "2026-03-31")),
    ],
)
def test_a_period_is_a_day_a_month_or_a_year(since, until, days):
    assert tuple(each.isoformat() for each in period(since, until, date(2026, 11, 25))) == days


def test_what_is_no_day_is_said():
    with pytest.raises(click.ClickException, match="is no day"):
        days_in("last week")


def test_conversations_are_summed_by_month_or_year():
    assert whole(date(2026, 1, 1), date(2026, 12, 31)) == "2026"
    assert whole(date(2026, 3, 1), date(2026, 3, 5)) == "2026-03"
    with pytest.raises(click.ClickException, match="by month or by year"):
        whole(date(2026, 3, 2), date(2026, 4, 5))


def test_money_is_written_to_the_micro_dollar():
    assert [money(each) for each in (0, 1, -12_345_678, 10**13)] == [
        "0.000000",
        "0.000001",
        "-12.345678",
        "10000000.000000",
    ]
