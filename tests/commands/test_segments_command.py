import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from replyline.cli import main
from replyline.commands.fewer_segments import units_too_many, ways_to_fewer
from replyline.commands.list_prices import ListPrice, NoSuchCountry, list_price, of_country
from replyline.commands.segments import price_in_words
from replyline.conversations.segments import measure
from replyline.costs.prices import PriceList

CURLY = "We’re open 9–5 on Monday, and your table for four is booked under Ana B"  # two segments, one of them for looks


def asked(*words: str, piped: str | bytes | None = None) -> str:
    ran = CliRunner().invoke(main, ["segments", *words], input=piped)
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_a_plain_text_is_one_segment():
    said = asked("Hi Ana")
    assert said.startswith("1 segment in GSM-7: 6 characters, 6 septets.\n")
    assert "  1 |Hi Ana| 6 of 160\n" in said


def test_what_forces_ucs_2_is_named_with_its_place():
    said = asked("Hi – Ana – 👋")
    assert "  –  U+2013 EN DASH, at 4, 10\n" in said
    assert "  👋  U+1F44B WAVING HAND SIGN, at 12\n" in said


def test_the_segments_are_drawn_where_they_break():
    said = asked("я" * 66 + "👋" + "bcd\n")
    assert f"  1 |{'я' * 66}| 66 of 67\n  2 |👋bcd\\n| 6 of 67\n" in said


def test_characters_that_nobody_sees_are_shown():
    assert "|a<00A0>b<200B>\\r\\n|" in asked("a\u00a0b\u200b\r\n")


def test_each_way_to_fewer_segments_says_what_it_replaces():
    said = asked(CURLY)
    assert "1 segment with look-alikes that keep the meaning (--smart):\n    ’ -> '  U+2019" in said
    assert "– -> -  U+2013 EN DASH, once\n    Only together" in said


def test_smart_draws_the_text_with_its_look_alikes():
    said = asked("--smart", CURLY)
    assert said.startswith("Replaced, 2 segments before and 1 after:\n  ’ -> '")
    assert "|We're open 9-5" in said


def test_smart_says_when_there_is_nothing_to_gain():
    assert asked("--smart", "It’s").startswith("Nothing is replaced")


def test_twilios_own_smart_encoding_can_be_seen():
    assert "|1       11/2|" in asked("--twilio-smart", "1\t1½")


def test_the_two_exclude_each_other():
    assert CliRunner().invoke(main, ["segments", "--smart", "--twilio-smart", "x"]).exit_code == 2


def test_a_text_from_standard_input_loses_the_line_end_of_its_file():
    assert "|Hi\\nAna|" in asked("-", piped="Hi\nAna\r\n")


def test_bytes_that_are_no_text_are_refused_in_a_sentence():
    ran = CliRunner().invoke(main, ["segments", "-"], input=b"\xff\xfe")
    assert (ran.exit_code, ran.output) == (1, "Error: These bytes are not UTF-8.\n")


def test_what_twilio_would_refuse_exits_with_1():
    ran = CliRunner().invoke(main, ["segments", "a" * 1601])
    assert ran.exit_code == 1
    assert "Twilio refuses it: more than 1,600 characters (error 21617)." in ran.output


def test_the_cost_is_the_list_price_with_its_date():
    said = asked("a" * 161, "--to", "US", "--to", "germany", "--to", "+442079460123")
    assert "To United States: $0.0166 (2 x $0.0083), Twilio's list price of 2026-05-25.\n" in said
    assert "To Germany: $0.224 (2 x $0.112)" in said
    assert "To United Kingdom: $0.112 (2 x $0.056)" in said
    assert "What carriers add is not in it" in said


def test_an_unknown_price_is_said_and_is_not_zero():
    said = asked("Hi", "--to", "CU")
    assert "To CU: no price is known here. It is not free." in said
    assert "$" not in said
    [cost] = json.loads(asked("Hi", "--to", "CU", "--json"))["costs"]
    assert (cost["usd"], cost["usd_per_segment"]) == (None, None)


def test_a_country_without_a_price_is_unknown_too():
    price = of_country("XX", "Nowhere", PriceList(texts=[{}], own_models={}, models={}))
    assert price == ListPrice(country="XX", name="Nowhere", usd=None, as_of=None)
    assert "no price is known" in price_in_words(price, 1)


@pytest.mark.parametrize("where", ["ZZ", "Atlantis", "", "+80012345678"])
def test_a_place_that_is_no_country_is_refused(where):
    with pytest.raises(NoSuchCountry):
        list_price(where)


def test_programs_get_all_of_it():
    answer = json.loads(asked("--json", "--smart", CURLY))
    assert (answer["encoding"], answer["segments"], answer["units"], answer["too_long"]) == ("GSM-7", 1, 71, False)
    assert answer["replaced"] == [{"at": 2, "found": "’", "by": "'"}, {"at": 12, "found": "–", "by": "-"}]
    assert [part["units"] for part in answer["parts"]] == [71]
    answer = json.loads(asked("--json", CURLY))
    assert [each["name"] for each in answer["forces_ucs_2"]] == ["U+2019 RIGHT SINGLE QUOTATION MARK", "U+2013 EN DASH"]
    assert answer["fewer"][0]["segments"] == 1


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("a" * 400, []),
        (CURLY, ["look-alikes"]),
        ("a" * 80 + "👋", ["no emoji"]),
        ("a" * 80 + "á", ["plain letters"]),
        ("👋" * 40, []),
        ("a" * 140 + "👋 ½" + "a" * 40, ["no emoji"]),
    ],
)
def test_the_way_that_changes_least_comes_first(body, names):
    assert [way.name for way in ways_to_fewer(body)] == names


def test_no_way_is_shown_that_saves_nothing():
    for body in (CURLY, "a" * 80 + "👋 á", "ñandú “" + "a" * 90):
        sizes = [measure(body).segments, *(way.segments for way in ways_to_fewer(body))]
        assert sizes == sorted(set(sizes), reverse=True)


@pytest.mark.parametrize(("body", "units"), [("a" * 163, 3), ("a" * 310, 4), ("я" * 75, 5), ("я" * 140, 6)])
def test_so_much_shorter_it_needs_one_segment_fewer(body, units):
    assert units_too_many(body) == units
    assert measure(body[:-units]).segments == measure(body).segments - 1
    assert measure(body[: 1 - units]).segments == measure(body).segments


def test_the_guide_shows_what_the_command_says():
    page = (Path(__file__).parents[2] / "docs" / "guide" / "segments.md").read_text(encoding="utf-8")
    shown = re.findall(r'^replyline segments "(.*)"\n```\n```text\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    assert [said for _, said in shown] == [asked(body) for body, _ in shown]
    assert len(shown) == 1
