"""The fixtures that the author of a line gets."""

import pytest

from replyline.plugins.line import Line
from replyline.simulator import BROKEN_AFTER_ACCEPTING, WebhookFault
from tests.support.cast import a_line


@pytest.fixture
def line() -> Line:
    return a_line(settle=0.05)


async def test_the_authors_twilio_goes_wrong_on_demand_and_the_person_is_answered_once(phone, twilio, desk):
    twilio.faults.next_webhooks(WebhookFault.TWICE, is_inbound=True)
    twilio.faults.next_creates(BROKEN_AFTER_ACCEPTING)

    await phone.text("Hello?")
    await phone.next_reply(timeout=20)
    await twilio.settle()

    assert desk.twilio is twilio
    assert len(phone.screen) == 1
    assert twilio.faults.standing() == []
