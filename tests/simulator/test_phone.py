"""The phone on your desk."""

import asyncio

import pytest
import requests
from twilio.rest import Client

from replyline.clock import FakeClock
from replyline.simulator import DeliveryTimes, NotOurNumber, SimulatedTwilio
from tests.simulator.conftest import ANA, OURS, OurServer, ask


async def test_it_shows_texts_in_the_order_they_come(client: Client, twilio: SimulatedTwilio, clock: FakeClock) -> None:
    phone = twilio.phone(ANA)

    first = await ask(client.messages.create, to=ANA, from_=OURS, body="One")
    await phone.wait_for(1)
    await ask(client.messages.create, to=ANA, from_=OURS, body="Two", media_url=["https://acme.test/a.png"])
    second = await phone.wait_for(lambda text: text.body == "Two")

    assert phone.screen == ["One", "Two"]
    assert (phone.received[0].sid, phone.received[0].sender) == (first.sid, OURS)
    assert (second.media_urls, second.at) == (("https://acme.test/a.png",), clock.now())
    assert [await phone.next_reply(), await phone.next_reply()] == ["One", "Two"]


async def test_waiting_in_vain_says_what_is_there(twilio: SimulatedTwilio) -> None:
    with pytest.raises(TimeoutError, match=r"The screen shows \[\]"):
        await twilio.phone(ANA).wait_for(1, timeout=0.01)


async def test_it_answers_who_texted_last(client: Client, twilio: SimulatedTwilio, ours: OurServer) -> None:
    other = "+14155550101"
    twilio.add_number(other, sms_url=f"{ours.url}/sms")
    phone = twilio.phone(ANA)

    await phone.text("to the first number")
    await ask(client.messages.create, to=ANA, from_=other, body="Hello")
    await phone.wait_for(1)
    await phone.text("to the one who texted")
    await phone.text("to the one named", to=OURS)
    twilio.phone(ANA, texts_with=OURS)
    await phone.text("to the usual one")

    assert [webhook.form["To"] for webhook in ours.got] == [OURS, other, OURS, OURS]


async def test_there_is_one_phone_per_number(twilio: SimulatedTwilio) -> None:
    assert twilio.phone(ANA) is twilio.phone(ANA)


async def test_a_number_that_is_not_ours_cannot_be_texted(twilio: SimulatedTwilio) -> None:
    with pytest.raises(NotOurNumber):
        await twilio.phone(ANA).text("Hi", to="+14155550999")


async def test_a_burst_arrives_whole(twilio: SimulatedTwilio, ours: OurServer) -> None:
    phone = twilio.phone(ANA)

    sids = await asyncio.gather(*(phone.text(str(n)) for n in range(20)))

    assert len(set(sids)) == 20
    assert {webhook.form["Body"] for webhook in ours.got} == {str(n) for n in range(20)}


async def test_delivery_takes_its_time(clock: FakeClock) -> None:
    slow = SimulatedTwilio(clock=clock, delivery=DeliveryTimes(until_sent=1, until_delivered=2))
    slow.add_number(OURS)
    phone = slow.phone(ANA)
    async with slow.serving() as url:
        fields = {"To": ANA, "From": OURS, "Body": "Hello", "ValidityPeriod": "5"}
        account = (slow.account_sid, slow.auth_token)
        path = f"{url}/2010-04-01/Accounts/{slow.account_sid}/Messages.json"
        sid = (await ask(requests.post, path, data=fields, auth=account, timeout=5)).json()["sid"]
        statuses = []
        for _ in range(4):
            statuses.append(slow.message(sid).status.value)
            clock.advance(seconds=1)
            await asyncio.sleep(0.01)

    assert statuses == ["queued", "sent", "sent", "delivered"]
    assert phone.screen == ["Hello"]


async def test_a_text_that_waits_too_long_expires(clock: FakeClock) -> None:
    slow = SimulatedTwilio(clock=clock, delivery=DeliveryTimes(until_sent=10))
    slow.add_number(OURS)
    async with slow.serving() as url:
        fields = {"To": ANA, "From": OURS, "Body": "Hello", "ValidityPeriod": "5"}
        account = (slow.account_sid, slow.auth_token)
        path = f"{url}/2010-04-01/Accounts/{slow.account_sid}/Messages.json"
        sid = (await ask(requests.post, path, data=fields, auth=account, timeout=5)).json()["sid"]
        clock.advance(seconds=10)
        await slow.settle()

    assert (slow.message(sid).status, slow.message(sid).error_code) == ("failed", 30036)


async def test_no_sid_is_ever_made_twice_not_after_a_restart_either(clock: FakeClock) -> None:
    """A database that was kept would take the first text after the restart for a repeated one."""
    sids = []
    for twilio in (SimulatedTwilio(clock=clock), SimulatedTwilio(clock=clock)):
        twilio.add_number(OURS)
        sids += [await twilio.phone(ANA).text("Hi"), await twilio.phone(ANA).text("Hi")]
        await twilio.close()

    assert len(set(sids)) == 4
