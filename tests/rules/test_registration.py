"""Whether a sender is registered where a text goes, and whether people there can answer STOP."""

from datetime import UTC, datetime

import pytest
from tests.support.cast import ANA

from replyline.phone_numbers import SenderKind
from replyline.rules.facts import Facts, Purpose
from replyline.rules.places import Known, place_of
from replyline.rules.registration import is_one_way, registration
from replyline.rules.rulebook import read_rulebook
from replyline.rules.verdict import Refuse, Send

BOOK = read_rulebook()
NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)
NAME, NUMBER, FREE = SenderKind.ALPHANUMERIC, SenderKind.LONG_CODE, SenderKind.TOLL_FREE
UNSAID = None


def facts(country, kind, registers=UNSAID, purpose=Purpose.TRANSACTIONAL, contact=""):
    return Facts(
        purpose=purpose,
        has_opted_out=False,
        country=country,
        allowed_countries=frozenset({country}),
        place=place_of(ANA, Known(), BOOK, "UTC"),
        book=BOOK,
        sender_kind=kind,
        registers=registers if registers is UNSAID else frozenset(registers),
        contact=contact,
    )


@pytest.mark.parametrize(
    ("country", "kind", "registers", "why"),
    [
        ("US", NAME, (), "carriers in US take no names"),
        ("SG", NAME, (), "only names that are registered there"),
        ("SG", NAME, UNSAID, "only names that are registered there"),
        ("US", NUMBER, (), "without 10DLC"),
        ("US", FREE, (), "not verified"),
        ("CA", FREE, ("US",), "not verified"),
    ],
)
def test_a_sender_that_the_destination_would_block_is_refused_with_the_way_out(country, kind, registers, why):
    verdict = registration(facts(country, kind, registers), NOW)
    assert isinstance(verdict, Refuse)
    assert why in verdict.why


@pytest.mark.parametrize(
    ("country", "kind", "registers"),
    [
        ("SG", NAME, ("SG",)),
        ("GB", NAME, ()),
        ("US", NUMBER, ("US",)),
        ("US", NUMBER, UNSAID),  # of a number that the settings alone name nothing is known; Twilio decides
        ("CA", NUMBER, ()),
        ("GB", NUMBER, ()),
        ("US", FREE, ("US", "CA")),
        ("US", SenderKind.SHORT_CODE, ()),
        ("US", SenderKind.MESSAGING_SERVICE, ()),
        (None, NAME, ()),  # the rule of countries says no
    ],
)
def test_a_sender_that_is_in_order_passes(country, kind, registers):
    assert registration(facts(country, kind, registers), NOW) == Send()


def test_advertising_that_nobody_can_answer_needs_another_way_to_opt_out():
    assert isinstance(registration(facts("GB", NAME, purpose=Purpose.MARKETING), NOW), Refuse)
    assert registration(facts("GB", NAME, purpose=Purpose.MARKETING, contact="a@b.test"), NOW) == Send()
    assert registration(facts("GB", NAME), NOW) == Send()  # a notice


def test_names_and_the_countries_that_twilio_brings_nothing_back_from_are_one_way():
    ways = [("GB", NAME), ("AE", NUMBER), ("US", NUMBER), (None, NUMBER)]
    assert [is_one_way(facts(*way)) for way in ways] == [True, True, False, False]
