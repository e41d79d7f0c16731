"""Test credentials: the numbers that answer in a fixed way."""

from collections.abc import AsyncIterator, Iterator

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from replyline.clock import FakeClock
from replyline.simulator import Policy, SimulatedTwilio
from tests.simulator.conftest import ANA, ask, client_of

GOOD = "+15005550006"


@pytest.fixture
async def twilio(clock: FakeClock) -> AsyncIterator[SimulatedTwilio]:
    simulated = SimulatedTwilio(clock=clock, policy=Policy(magic_numbers=True))
    async with simulated.serving():
        yield simulated


@pytest.fixture
def client(twilio: SimulatedTwilio) -> Iterator[Client]:
    made = client_of(twilio, twilio.account_sid, twilio.auth_token)
    yield made
    made.http_client.session.close()


@pytest.mark.parametrize(
    ("sender", "to", "code"),
    [
        ("+15005550001", ANA, 21212),
        ("+15005550007", ANA, 21606),
        ("+15005550008", ANA, 21611),
        ("+14155550100", ANA, 21606),
        (GOOD, "+15005550001", 21211),
        (GOOD, "+15005550002", 21612),
        (GOOD, "+15005550003", 21408),
        (GOOD, "+15005550004", 21610),
        (GOOD, "+15005550009", 21614),
        (GOOD, "+1", 21211),
    ],
)
async def test_a_magic_number_is_refused_as_it_stands_for(client: Client, sender: str, to: str, code: int) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await ask(client.messages.create, to=to, from_=sender, body="Hello")

    assert (refused.value.status, refused.value.code) == (400, code)


async def test_the_good_number_sends_nothing(client: Client, twilio: SimulatedTwilio) -> None:
    phone = twilio.phone(ANA)

    made = await ask(client.messages.create, to=ANA, from_=GOOD, body="Hello", status_callback="https://acme.test/")
    await twilio.settle()

    assert (made.status, made.from_) == ("queued", GOOD)
    assert (phone.screen, twilio.messages, twilio.alerts) == ([], [], [])


async def test_test_credentials_can_do_nothing_else(client: Client) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await ask(client.messages("SM" + "1" * 32).fetch)

    assert (refused.value.status, refused.value.code) == (403, 20008)
