"""How fast texts may go: by what they leave from, where they go, and what the line has declared."""

import pytest

from replyline.outbound.pace import lane_of, pace_of
from replyline.phone_numbers import SenderKind
from replyline.plugins.senders import BadSender, Registration, Sender
from tests.support.cast import ANA, GYM_NUMBER, a_line

SERVICE = "MG" + "0" * 32
TORONTO, LONDON, PARIS = "+14165550101", "+447400123456", "+33612345678"
TOLL_FREE, SHORT_CODE = "+18335550100", "72345"


@pytest.mark.parametrize(
    ("sender", "phone", "lane"),
    [
        (GYM_NUMBER, ANA, GYM_NUMBER),
        (GYM_NUMBER, TORONTO, f"{GYM_NUMBER}>CA"),
        (GYM_NUMBER, LONDON, f"{GYM_NUMBER}>*"),
        (TOLL_FREE, TORONTO, TOLL_FREE),
        (TOLL_FREE, LONDON, f"{TOLL_FREE}>*"),
        (SHORT_CODE, LONDON, SHORT_CODE),
        (SHORT_CODE, PARIS, f"{SHORT_CODE}>*"),
        ("ACME", PARIS, "ACME"),
        (LONDON, ANA, LONDON),
        (LONDON, TORONTO, f"{LONDON}>CA"),
        (SERVICE, ANA, SERVICE),
        (SERVICE, TORONTO, f"{SERVICE}>CA"),
        ("whatsapp:+14155550100", LONDON, "whatsapp:+14155550100"),
    ],
)
def test_texts_stand_in_line_by_sender_and_by_where_twilio_paces_apart(sender, phone, lane):
    assert lane_of(sender, phone, has_pictures=False) == lane
    assert len(lane_of(sender, phone, has_pictures=True)) <= 64


@pytest.mark.parametrize(
    ("sender", "phone", "has_pictures", "rate"),
    [
        (GYM_NUMBER, ANA, False, 4),
        (GYM_NUMBER, TORONTO, False, 1),
        (GYM_NUMBER, PARIS, False, 10),
        (GYM_NUMBER, ANA, True, 50),
        (TOLL_FREE, ANA, False, 3),
        (TOLL_FREE, ANA, True, 25),
        (SHORT_CODE, ANA, False, 100),
        (SHORT_CODE, ANA, True, 40),
        ("ACME", PARIS, False, 10),
        (LONDON, "+447400999888", False, 10),
        (LONDON, TORONTO, False, 1),
        (SERVICE, ANA, False, 10),
        (SERVICE, ANA, True, 25),
    ],
)
def test_a_sender_that_nobody_declared_goes_by_its_kind(sender, phone, has_pictures, rate):
    assert pace_of(lane_of(sender, phone, has_pictures=has_pictures), a_line()).rate == rate


@pytest.mark.parametrize(
    ("registration", "rate", "cap"),
    [
        ("score 75 to 100", 225, 200_000),
        ("score 50 to 74", 120, 40_000),
        ("score 25 to 49", 12, 10_000),
        ("score 1 to 24", 12, 2_000),
        ("low volume", 12, 2_000),
        ("low volume mixed", 3.75, 2_000),
        ("sole proprietor", 2.25, 1_000),
        ("russell 3000", 225, 200_000),
    ],
)
def test_a_registered_number_goes_as_fast_as_its_registration(registration, rate, cap):
    line = a_line(senders=[Sender(GYM_NUMBER, registration=registration)])
    pace = pace_of(GYM_NUMBER, line)
    assert (pace.rate, pace.brand, pace.daily_cap) == (rate, "brand gym", cap)


def test_every_registration_and_kind_has_its_rate():
    for registration in Registration:
        line = a_line(senders=[Sender(GYM_NUMBER, registration=registration)])
        assert pace_of(GYM_NUMBER, line).daily_cap >= 1000
    for address in (GYM_NUMBER, TOLL_FREE, SHORT_CODE, "ACME", SERVICE, "rcs:acme"):
        assert pace_of(address, a_line()).rate > 0
    assert (
        len({Sender(each).kind for each in (GYM_NUMBER, TOLL_FREE, SHORT_CODE, "ACME", SERVICE)}) == len(SenderKind) - 1
    )


def test_numbers_of_one_campaign_share_its_rate():
    numbers = [Sender(f"+1415555010{n}", registration="score 50 to 74", campaign="news") for n in range(3)]
    paces = {pace_of(sender.address, a_line(senders=numbers)) for sender in numbers}
    assert [pace.shares for pace in paces] == ["campaign news"]


def test_a_number_in_a_service_goes_by_the_pace_that_is_declared_for_it():
    line = a_line(senders=[Sender(GYM_NUMBER, messaging_service=SERVICE, registration="score 50 to 74")])
    assert pace_of(SERVICE, line).rate == pace_of(GYM_NUMBER, line).rate == 120


@pytest.mark.parametrize(("numbers", "rate"), [([TOLL_FREE], 3), ([SHORT_CODE, TOLL_FREE], 3), ([SHORT_CODE], 100)])
def test_a_service_whose_numbers_are_declared_goes_as_fast_as_the_slowest_of_them(numbers, rate):
    line = a_line(senders=[Sender(number, messaging_service=SERVICE) for number in numbers])
    assert pace_of(SERVICE, line).rate == rate


def test_pictures_of_all_senders_of_a_kind_share_the_rate_of_the_account():
    lanes = [lane_of(number, ANA, has_pictures=True) for number in (GYM_NUMBER, "+14155550101")]
    assert len({pace_of(lane, a_line()).shares for lane in lanes}) == 1


def test_what_twilio_has_granted_counts_more_than_the_registration():
    line = a_line(senders=[Sender(TOLL_FREE, segments_per_second=25)], segments_per_second=7)
    assert (pace_of(TOLL_FREE, line).rate, pace_of(GYM_NUMBER, line).rate) == (25, 7)


@pytest.mark.parametrize(("daily_cap", "brand", "cap"), [("off", None, 0), (500, "brand acme", 500)])
def test_the_daily_cap_can_be_set_or_taken_away(daily_cap, brand, cap):
    sender = Sender(GYM_NUMBER, registration="score 50 to 74", brand="acme", daily_cap=daily_cap)
    pace = pace_of(GYM_NUMBER, a_line(senders=[sender]))
    assert (pace.brand, pace.daily_cap) == (brand, cap)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"address": "4155550100"}, "country code"),
        ({"address": "MG123"}, None),
        ({"address": "MG1234567890123"}, "no messaging service"),
        ({"address": ""}, "no name of up to 11"),
        ({"address": GYM_NUMBER, "registration": "score 200"}, "'score 50 to 74'"),
        ({"address": TOLL_FREE, "registration": "low volume"}, "no 10DLC registration"),
        ({"address": LONDON, "registration": "low volume"}, "no 10DLC registration"),
        ({"address": GYM_NUMBER, "countries": ["USA"]}, "ISO country code"),
        ({"address": GYM_NUMBER, "messaging_service": "gym"}, "MG and 32 hex digits"),
        ({"address": "ACME", "mms": True}, "cannot send pictures"),
        ({"address": GYM_NUMBER, "segments_per_second": 0}, "more than 0"),
        ({"address": GYM_NUMBER, "daily_cap": 0}, "at least 1"),
        ({"address": GYM_NUMBER, "daily_cap": "none"}, "'off'"),
        ({"address": GYM_NUMBER, "campaign": "x" * 41}, "40 characters"),
    ],
)
def test_a_sender_that_could_not_send_stops_the_start_with_a_sentence(given, words):
    address = given.pop("address")
    if words is None:
        assert Sender(address, **given).kind is SenderKind.ALPHANUMERIC
        return
    with pytest.raises(BadSender, match=words):
        Sender(address, **given)


@pytest.mark.parametrize(
    ("senders", "words"),
    [
        ([Sender(GYM_NUMBER), Sender(GYM_NUMBER)], "twice"),
        (
            [
                Sender(GYM_NUMBER, campaign="news", registration="low volume"),
                Sender("+14155550101", campaign="news", registration="score 50 to 74"),
            ],
            "share one rate",
        ),
    ],
)
def test_senders_that_contradict_each_other_stop_the_start(senders, words):
    with pytest.raises(BadSender, match=words):
        a_line(senders=senders)
