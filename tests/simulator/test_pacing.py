"""Senders have a rate and a queue, and the account a limit of its own; none of it unless somebody asks for it."""

import asyncio
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from replyline.clock import FakeClock
from replyline.simulator import Fault, Message, Pacing, Policy, SimulatedTwilio
from tests.simulator.conftest import ANA, OURS, SHORT_CODE, TOLL_FREE, OurServer, ask

TORONTO, LONDON = "+14165550123", "+447400123456"
ALSO_OURS = "+14155550101"


async def send(client: Client, *, to: str = ANA, sender: str = OURS, **given: Any) -> Any:
    return await ask(client.messages.create, to=to, **({"body": "Hello", "from_": sender} | given))


async def sent_after(twilio: SimulatedTwilio, clock: FakeClock, seconds: float) -> int:
    clock.advance(seconds=seconds)
    await twilio.settle()
    return sum(message.sent_at is not None for message in twilio.messages)


async def test_texts_leave_at_once_unless_somebody_asks_for_a_pace(client: Client, twilio: SimulatedTwilio) -> None:
    for _ in range(20):
        await send(client, to=TORONTO)
    await twilio.settle()

    assert {message.status for message in twilio.messages} == {"delivered"}


@pytest.mark.parametrize(
    ("sender", "to", "per_second"),
    [
        (OURS, TORONTO, 1),
        (OURS, ANA, 12),
        (OURS, LONDON, 10),
        (TOLL_FREE, ANA, 3),
        (TOLL_FREE, TORONTO, 3),
        (TOLL_FREE, LONDON, 10),
        (SHORT_CODE, ANA, 100),
        (SHORT_CODE, LONDON, 100),
        ("ACME", LONDON, 10),
    ],
)
async def test_each_kind_of_sender_has_twilios_pace(
    twilio: SimulatedTwilio, clock: FakeClock, client: Client, sender: str, to: str, per_second: int
) -> None:
    twilio.add_number(TOLL_FREE)
    twilio.add_number(SHORT_CODE)
    twilio.policy = Policy(pacing=Pacing())
    for _ in range(3):
        await send(client, to=to, sender=sender, body="x" * 153 * 4)  # four segments each
    await twilio.settle()

    assert await sent_after(twilio, clock, 0) == 1
    assert await sent_after(twilio, clock, 4 / per_second - 0.001) == 1
    assert await sent_after(twilio, clock, 0.001) == 2
    assert await sent_after(twilio, clock, 4 / per_second) == 3


async def test_a_pace_can_be_set(twilio: SimulatedTwilio, clock: FakeClock, client: Client) -> None:
    twilio.policy = Policy(pacing=Pacing(long_code_to_us=0.5))
    await send(client)
    await send(client)

    assert await sent_after(twilio, clock, 1.9) == 1
    assert await sent_after(twilio, clock, 0.1) == 2


async def test_the_numbers_of_a_campaign_share_its_pace(
    twilio: SimulatedTwilio, clock: FakeClock, client: Client
) -> None:
    twilio.add_number(ALSO_OURS)
    twilio.add_messaging_service([OURS, ALSO_OURS])
    twilio.policy = Policy(pacing=Pacing(long_code_to_us=1, long_code_to_canada=1))
    for sender in (OURS, ALSO_OURS):
        for to in (ANA, TORONTO):
            await send(client, sender=sender, to=to)

    assert await sent_after(twilio, clock, 0) == 3  # to Canada each has a pace of its own
    assert await sent_after(twilio, clock, 1) == 4


async def test_pictures_have_a_pace_of_their_own(twilio: SimulatedTwilio, clock: FakeClock, client: Client) -> None:
    twilio.policy = Policy(pacing=Pacing(long_code_to_us=1, long_code_mms=2))
    await send(client)
    for _ in range(2):
        await send(client, media_url=["https://acme.test/a.png"])

    assert await sent_after(twilio, clock, 0) == 2
    assert await sent_after(twilio, clock, 0.5) == 3


async def test_a_full_queue_is_told_at_once_to_who_names_the_sender(
    twilio: SimulatedTwilio, clock: FakeClock, client: Client
) -> None:
    twilio.policy = Policy(pacing=Pacing(long_code_to_us=1, queue_segments=2))
    await send(client)
    await send(client)

    with pytest.raises(TwilioRestException) as refused:
        await send(client)
    clock.advance(seconds=1)
    await send(client)

    assert (refused.value.status, refused.value.code) == (400, 21611)
    assert len(twilio.messages) == 3


async def test_a_full_queue_fails_a_services_text_later(
    twilio: SimulatedTwilio, clock: FakeClock, client: Client, ours: OurServer
) -> None:
    service = twilio.add_messaging_service([OURS])
    twilio.policy = Policy(pacing=Pacing(long_code_to_us=1, queue_segments=2))
    given = {"messaging_service_sid": service.sid, "body": "Hello", "to": ANA}
    for _ in range(2):
        await ask(client.messages.create, **given)

    third = await ask(client.messages.create, **given, status_callback=f"{ours.url}/status")
    await twilio.settle()

    assert third.status == "accepted"
    assert ours.statuses() == ["queued", "failed"]
    assert ours.got[-1].form["ErrorCode"] == "30001"


async def test_a_queue_holds_ten_hours_of_work(twilio: SimulatedTwilio, clock: FakeClock, client: Client) -> None:
    twilio.policy = Policy(pacing=Pacing(long_code_to_us=1 / 3600))
    for _ in range(10):
        await send(client)

    with pytest.raises(TwilioRestException) as refused:
        await send(client)

    assert refused.value.code == 21611


async def test_a_text_expires_in_the_queue_and_holds_up_nobody(
    twilio: SimulatedTwilio, clock: FakeClock, client: Client, ours: OurServer
) -> None:
    twilio.policy = Policy(pacing=Pacing(long_code_to_us=0.1))
    await send(client)
    hurried = await send(client, validity_period=5, status_callback=f"{ours.url}/status")
    patient = await send(client)
    await twilio.settle()
    assert ours.statuses() == []

    clock.advance(seconds=6)
    await twilio.settle()
    expired: Message = twilio.message(hurried.sid)
    assert (expired.status, expired.error_code, ours.statuses()) == ("failed", 30036, ["failed"])
    clock.advance(seconds=4)
    await twilio.settle()

    assert twilio.message(patient.sid).status == "delivered"


async def test_the_validity_period_is_not_counted_after_the_queue(
    twilio: SimulatedTwilio, clock: FakeClock, client: Client
) -> None:
    twilio.policy = Policy(pacing=Pacing(long_code_to_us=0.25))
    await send(client)
    made = await send(client, validity_period=5)

    await sent_after(twilio, clock, 4)
    clock.advance(hours=1)
    await twilio.settle()

    assert twilio.message(made.sid).status == "delivered"


async def test_more_requests_at_once_than_the_account_may_make_are_throttled(
    twilio: SimulatedTwilio, clock: FakeClock, client: Client
) -> None:
    twilio.policy = Policy(concurrent_requests=2)
    twilio.faults.on_requests(Fault.slow(1), times=2)
    under_way = [asyncio.create_task(send(client)) for _ in range(2)]
    async with asyncio.timeout(5):
        while twilio.faults.standing():
            await asyncio.sleep(0.01)

    with pytest.raises(TwilioRestException) as refused:
        await send(client)
    clock.advance(seconds=1)
    await asyncio.gather(*under_way)
    await send(client)

    assert (refused.value.status, refused.value.code) == (429, 20429)
    assert len(twilio.messages) == 3


async def test_a_phone_can_be_on_twilios_list_without_a_text_that_says_so(
    twilio: SimulatedTwilio, client: Client
) -> None:
    twilio.opt_out(ANA, OURS)
    with pytest.raises(TwilioRestException) as refused:
        await send(client)

    service = twilio.add_messaging_service([OURS])
    twilio.opt_out(ANA, OURS)
    await ask(client.messages.create, to=ANA, messaging_service_sid=service.sid, body="Hello")
    await twilio.settle()

    assert refused.value.code == 21610
    assert [(message.status, message.error_code) for message in twilio.messages] == [("failed", 21610)]
