"""A simulated Twilio, and what sends through it."""

import pytest

from replyline.simulator import INSTANT, SimulatedTwilio
from replyline.twilio.client import TwilioClient
from tests.support.cast import GYM_NUMBER, a_line
from tests.support.post import Post


@pytest.fixture
async def make_post(db, clock):
    twilio = SimulatedTwilio(clock=clock, delivery=INSTANT)
    twilio.add_number(GYM_NUMBER)
    clients = []
    async with twilio.serving() as url:

        def make(*, page=100, most_pages=10, **given):
            client = TwilioClient(
                account_sid=twilio.account_sid,
                username=twilio.account_sid,
                password=twilio.auth_token,
                url=url,
                page=page,
                most_pages=most_pages,
            )
            clients.append(client)
            return Post(db, clock, twilio, client, a_line(**given))

        yield make
        for client in clients:
            await client.close()


@pytest.fixture
def post(make_post):
    return make_post()
