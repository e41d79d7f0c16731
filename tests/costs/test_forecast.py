"""What a text to many people will cost, told beforehand."""

from datetime import date

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from replyline.cli import main
from replyline.commands.estimate import estimated, said
from replyline.costs.forecast import crowds_of
from replyline.costs.prices import PriceList, read_prices
from replyline.db.migrate import migrate
from replyline.phone_numbers import country_by_prefix, country_of
from replyline.plugins.senders import Sender

TODAY = date(2026, 11, 25)
SENDERS = [Sender("+14155550100", registration="score 50 to 74", countries=["US", "GB"])]
AMERICANS = [f"+1415555{n:04}" for n in range(12)]
BRITISH, NOWHERE = "+447400123456", "+881612345678"
CURLY = "Don\u2019t miss it: bring a friend to any class this week, and they train for free. Just show this text at the desk."


def of(body, phones):
    return estimated(body, phones, read_prices(), SENDERS, TODAY)


def test_an_estimate_says_the_sum_by_country_and_what_would_be_cheaper():
    found = of(CURLY, [*AMERICANS, *AMERICANS, BRITISH])
    assert [(row["country"], row["people"], row["segments"], row["each"]) for row in found.rows] == [
        ("US", 12, 24, "0.025600"),
        ("GB", 1, 2, row_of(found, "GB")["each"]),
    ]
    words = list(said(found, []))
    assert words[0].startswith("13 people, 2 segments each: $0.")
    assert any("characters that look alike it is 1 each" in each and "less." in each for each in words)
    assert "  '\u2019' becomes \"'\"" in words


def row_of(found, country):
    return next(row for row in found.rows if row["country"] == country)


def test_what_nobody_knows_the_price_of_is_said_and_not_in_the_sum():
    nothing_known = PriceList(texts=[{}], own_models={}, models={})
    found = estimated("Hi", [AMERICANS[0]], nothing_known, SENDERS, TODAY)
    assert found.rows[0]["cost"] == "not known"
    words = list(said(found, []))
    assert words[0] == "1 people, 1 segment each: not known."
    assert "Of 1 of them nobody knows the price; it is not in the sum." in words


def test_people_whom_no_sender_can_text_and_lines_without_a_number_are_said():
    words = list(said(of("Hi", [AMERICANS[0], NOWHERE]), [3, 7]))
    assert "To 1 of them no sender of the line can text." in words
    assert "Lines that hold no phone number: 3, 7." in words


def test_who_is_listed_twice_counts_once():
    (crowd,) = crowds_of([AMERICANS[0]] * 3)
    assert crowd.people == 1


phones = st.one_of(
    st.integers(2_012_000_000, 9_899_999_999).map(lambda n: f"+1{n}"),
    st.integers(7_000_000_000, 7_999_999_999).map(lambda n: f"+44{n}"),
    st.sampled_from(
        ["49151", "336", "3934", "346", "614", "5255", "5511", "9198", "8190", "7701", "79", "2126"]
    ).flatmap(lambda head: st.integers(10**7, 10**8 - 1).map(lambda n: f"+{head}{n}")),
)


@given(phones)
def test_the_country_by_the_first_digits_is_the_country_of_the_number(phone):
    known = country_of(phone)
    assert known is None or country_by_prefix(phone) == known


# A module of a name of its own: Python keeps the first `line` that a process of tests has read.
def test_the_command_says_it_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "estimating.py").write_text(
        "from replyline import Line\nline = Line(name='Gym', instructions='Be kind.')\n"
    )
    (tmp_path / "list.csv").write_text("+14155550123,Ana\n(415) 555-0124\nnobody\n")
    for name, value in {
        "REPLYLINE_DATABASE_URL": f"sqlite:///{tmp_path}/a.db",
        "TWILIO_PHONE_NUMBER": "+14155550100",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(tmp_path))
    migrate(f"sqlite:///{tmp_path}/a.db")
    done = CliRunner().invoke(
        main, ["costs", "estimate", "--line", "estimating:line", "--file", "list.csv", "Half price!"]
    )
    assert done.exit_code == 0, done.output
    assert "2 people, 1 segment each: $0.03." in done.output
    assert "Lines that hold no phone number: 3." in done.output
