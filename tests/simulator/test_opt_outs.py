"""What Twilio does by itself with STOP, START and HELP, by the kind of sender."""

import pytest
from starlette.responses import Response
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from replyline.simulator import SimulatedTwilio
from tests.simulator.conftest import ANA, OURS, SHORT_CODE, TOLL_FREE, OurServer, ask


@pytest.mark.parametrize(
    ("word", "is_heard"),
    [
        ("STOP", True),
        ("stop", True),
        (" Stop ", True),
        ("STOPALL", True),
        ("UNSUBSCRIBE", True),
        ("CANCEL", True),
        ("END", True),
        ("QUIT", True),
        ("REVOKE", True),
        ("OPTOUT", True),
        ("STOP PLEASE", False),
        ("stop.", False),
        ("please cancel", False),
    ],
)
async def test_a_stop_word_alone_blocks(twilio: SimulatedTwilio, ours: OurServer, word: str, is_heard: bool) -> None:
    phone = twilio.phone(ANA)

    await phone.text(word)

    assert twilio.has_opted_out(ANA, OURS) is is_heard
    assert len(phone.screen) == is_heard
    assert [webhook.form["Body"] for webhook in ours.got] == [word]
    assert "OptOutType" not in ours.got[0].form


async def test_nobody_is_texted_after_stop_until_they_start(client: Client, twilio: SimulatedTwilio) -> None:
    phone = twilio.phone(ANA)
    await phone.text("STOP")

    with pytest.raises(TwilioRestException) as refused:
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    assert (refused.value.status, refused.value.code) == (400, 21610)

    await phone.text("START")
    await ask(client.messages.create, to=ANA, from_=OURS, body="Welcome back")
    await twilio.settle()

    stop, start, welcome = phone.screen
    assert "unsubscribed" in stop
    assert "re-subscribed" in start
    assert welcome == "Welcome back"


async def test_stop_holds_for_one_number_only(client: Client, twilio: SimulatedTwilio) -> None:
    other = "+14155550101"
    twilio.add_number(other)
    phone = twilio.phone(ANA)

    await phone.text("STOP", to=OURS)
    await ask(client.messages.create, to=ANA, from_=other, body="From another number")
    await twilio.settle()

    assert phone.screen[-1] == "From another number"


async def test_a_service_finds_out_later(client: Client, twilio: SimulatedTwilio, ours: OurServer) -> None:
    service = twilio.add_messaging_service([OURS, "+14155550101"], status_callback=f"{ours.url}/status")
    twilio.add_number("+14155550101")
    phone = twilio.phone(ANA)
    await phone.text("STOP", to=OURS)

    made = await ask(client.messages.create, to=ANA, messaging_service_sid=service.sid, from_="+14155550101", body="x")
    await twilio.settle()

    assert made.status == "accepted"
    failed = await ask(client.messages(made.sid).fetch)
    assert (failed.status, failed.error_code, failed.date_sent) == ("failed", 21610, None)
    assert (ours.statuses(), ours.at("/status")[-1].form["ErrorCode"]) == (["queued", "failed"], "21610")
    assert len(phone.screen) == 1


async def test_yes_is_an_answer_unless_it_undoes_a_stop(twilio: SimulatedTwilio) -> None:
    phone = twilio.phone(ANA)

    await phone.text("Yes")
    assert phone.screen == []

    await phone.text("STOP")
    await phone.text("yes")
    assert not twilio.has_opted_out(ANA, OURS)
    assert "re-subscribed" in phone.screen[-1]


async def test_stop_is_confirmed_once(twilio: SimulatedTwilio) -> None:
    phone = twilio.phone(ANA)

    await phone.text("STOP")
    await phone.text("STOP")

    assert len(phone.screen) == 1


@pytest.mark.parametrize("word", ["HELP", "info"])
async def test_help_is_answered(twilio: SimulatedTwilio, ours: OurServer, word: str) -> None:
    phone = twilio.phone(ANA)

    await phone.text(word)

    assert phone.screen == ["Reply STOP to unsubscribe. Msg&Data Rates May Apply."]
    assert len(ours.got) == 1
    assert [message.direction for message in twilio.messages] == ["inbound"]


async def test_the_toll_free_network_has_its_own_way(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.add_number(TOLL_FREE, sms_url=f"{ours.url}/sms")
    phone = twilio.phone(ANA)

    await phone.text("HELP", to=TOLL_FREE)
    await phone.text("stop", to=TOLL_FREE)
    await phone.text("YES", to=TOLL_FREE)
    assert twilio.has_opted_out(ANA, TOLL_FREE)
    await phone.text("HELP", to=TOLL_FREE)
    await phone.text("Unstop", to=TOLL_FREE)

    assert not twilio.has_opted_out(ANA, TOLL_FREE)
    help_text, stopped, started = phone.screen
    assert help_text.startswith("Reply STOP")
    assert stopped.startswith('NETWORK MSG: You replied with the word "stop"')
    assert started.startswith('NETWORK MSG: You have replied "unstop"')
    assert len(ours.got) == 5


async def test_a_short_code_is_left_to_us(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.add_number(SHORT_CODE, sms_url=f"{ours.url}/sms")
    phone = twilio.phone(ANA)

    for word in ("STOP", "START", "HELP"):
        await phone.text(word, to=SHORT_CODE)

    assert (phone.screen, twilio.has_opted_out(ANA, SHORT_CODE)) == ([], False)
    assert [webhook.form["Body"] for webhook in ours.got] == ["STOP", "START", "HELP"]


async def test_advanced_opt_out_answers_for_short_codes_and_says_so(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.add_number(SHORT_CODE, sms_url=f"{ours.url}/sms")
    twilio.add_messaging_service([SHORT_CODE], advanced_opt_out=True)
    phone = twilio.phone(ANA)

    for word in ("STOP", "START", "HELP", "Hello"):
        await phone.text(word, to=SHORT_CODE)

    assert len(phone.screen) == 3
    assert [webhook.form.get("OptOutType") for webhook in ours.got] == ["STOP", "START", "HELP", None]


async def test_a_stop_without_a_webhook_blocks_too(twilio: SimulatedTwilio) -> None:
    twilio.add_number(OURS, sms_url="")

    await twilio.phone(ANA).text("STOP")

    assert twilio.has_opted_out(ANA, OURS)


async def test_a_reply_by_twiml_to_a_stop_fails(twilio: SimulatedTwilio, ours: OurServer) -> None:
    ours.answers["/sms"] = lambda: Response("<Response><Message>Sorry!</Message></Response>", media_type="text/xml")
    phone = twilio.phone(ANA)

    await phone.text("STOP")
    await twilio.settle()

    assert len(phone.screen) == 1
    assert (twilio.messages[-1].status, twilio.messages[-1].error_code) == ("failed", 21610)
