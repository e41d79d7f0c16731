"""`replyline budget`: what is left, and a person who lets it have more."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from replyline.cli import main
from replyline.conversations.store import find_or_start
from replyline.db.tables import audit_events, budgets
from tests.support.cast import ANA, GYM_NUMBER

LINE = """
from replyline import Budget, Line

line = Line(
    name="Gym",
    instructions="You book.",
    budgets=[Budget(50), Budget(900, per="month"), Budget("0.50", of="contact"), Budget(5, of="campaign"), Budget(3, of="model")],
)
"""


@pytest.fixture
def replyline(database_url, tmp_path, monkeypatch):
    (tmp_path / "line.py").write_text(LINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("REPLYLINE_DATABASE_URL", database_url)

    def run(*command):
        ended = CliRunner().invoke(main, list(command))
        return ended.exit_code, ended.stdout, ended.stderr

    return run


def test_a_budget_is_shown_and_raised_by_somebody_whose_name_is_kept(replyline, db):
    code, out, _ = replyline("budget", "raise", "20", "--by", "Olga", "--per", "day")
    assert (code, out.partition(":")[2]) == (0, " 70.000000 left of 70.000000 dollars.\n")
    _, out, _ = replyline("budget", "show", "--json")
    day, month, model = json.loads(out)
    assert (day["budget"], day["limit"], day["raised"], day["left"], day["for_replies"]) == (
        ("line", "70.000000", "20.000000", "70.000000", "14.000000")
    )
    assert (month["limit"], month["raised"], model["budget"]) == ("900.000000", "0.000000", "model")
    [event] = db.run_blocking(lambda conn: conn.execute(select(audit_events)).all())
    assert (event.line, event.actor, event.kind, event.details["micros"]) == (
        "gym",
        "Olga",
        "budget_raised",
        20_000_000,
    )
    assert "line " in replyline("budget", "show")[1]


def test_a_raise_says_which_budgets_there_are_when_it_could_be_several(replyline):
    code, _, error = replyline("budget", "raise", "20")
    assert code == 1
    assert "--of line --per month" in error


def test_the_budget_of_one_person_is_raised_by_their_number(replyline, db):
    now = datetime.now(UTC)
    talk = db.run_blocking(lambda conn: find_or_start(conn, [("gym", ANA, GYM_NUMBER)], now))["gym", ANA, GYM_NUMBER]
    assert replyline("budget", "raise", "0.25", "--contact", ANA)[0] == 0
    [row] = db.run_blocking(lambda conn: conn.execute(select(budgets)).all())
    assert (row.scope, row.raised_micros) == (f"contact:{talk.contact_id}", 250_000)
    assert replyline("budget", "raise", "1", "--contact", "+12125550199")[0] == 1


@pytest.mark.parametrize("amount", ["0", "twenty", "NaN"])
def test_an_amount_that_is_none_raises_nothing(replyline, db, amount):
    assert replyline("budget", "raise", amount, "--per", "day")[0] == 1
    assert db.run_blocking(lambda conn: conn.execute(select(budgets)).all()) == []
