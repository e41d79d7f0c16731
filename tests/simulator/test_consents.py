"""The Consent API as Twilio describes it: https://www.twilio.com/docs/messaging/features/consent-api"""

from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from replyline.clock import FakeClock
from replyline.simulator import SimulatedTwilio
from tests.simulator.conftest import ANA, OURS, HereHttpClient, ask

ACCOUNTS = "https://accounts.twilio.com"


class AccountsHttpClient(HereHttpClient):
    """The package's own transport; only the host is another."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super().request(method, url.replace(ACCOUNTS, "https://api.twilio.com"), *args, **kwargs)


@pytest.fixture
def accounts(twilio: SimulatedTwilio) -> Any:
    http = AccountsHttpClient(twilio.url)
    yield Client(twilio.account_sid, twilio.auth_token, http_client=http).accounts.v1.bulk_consents
    http.session.close()


def item(**given: Any) -> dict[str, Any]:
    return {
        "contact_id": ANA,
        "correlation_id": "0123456789abcdef0123456789abcdef",
        "sender_id": OURS,
        "status": "opt-out",
        "source": "website",
        "date_of_consent": "2026-03-02T18:00:00Z",
    } | given


async def test_an_opt_out_blocks_and_an_opt_in_lets_texts_through_again(accounts: Any, twilio: SimulatedTwilio) -> None:
    answer = await ask(accounts.create, items=[item()])
    assert answer.items == [{"correlation_id": item()["correlation_id"], "error_code": 0, "error_messages": []}]
    assert twilio.has_opted_out(ANA, OURS)

    await ask(accounts.create, items=[item(status="opt-in")])
    assert not twilio.has_opted_out(ANA, OURS)


async def test_a_messaging_service_has_one_list_for_all_its_numbers(accounts: Any, twilio: SimulatedTwilio) -> None:
    service = twilio.add_messaging_service([OURS])
    await ask(accounts.create, items=[item(sender_id=service.sid)])
    assert twilio.has_opted_out(ANA, OURS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"contact_id": "212 555"}, "INVALID_CONTACT_ID"),
        ({"sender_id": "+14155550177"}, "INVALID_SENDER_ID"),
        ({"status": "gone"}, "INVALID_STATUS"),
        ({"source": "hearsay"}, "INVALID_SOURCE"),
        ({"date_of_consent": "yesterday"}, "INVALID_DATE_OF_CONSENT"),
        ({"correlation_id": "1"}, "INVALID_CORRELATION_ID"),
        ({"sender_id": [OURS]}, "INVALID_SENDER_ID"),
        ({"status": {}}, "INVALID_STATUS"),
        ({"source": ["website"]}, "INVALID_SOURCE"),
    ],
)
async def test_a_bad_item_is_named_and_the_others_are_taken(
    accounts: Any, twilio: SimulatedTwilio, given: dict[str, Any], message: str
) -> None:
    good = item(correlation_id="f" * 32)
    answer = await ask(accounts.create, items=[item(**given), good])
    assert [(each["error_code"], each["error_messages"]) for each in answer.items] == [(30646, [message]), (0, [])]
    assert twilio.has_opted_out(ANA, OURS)


async def test_more_than_25_items_are_refused(accounts: Any, twilio: SimulatedTwilio) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await ask(accounts.create, items=[item()] * 26)
    assert refused.value.status == 400
    assert not twilio.has_opted_out(ANA, OURS)


async def test_more_than_100_requests_a_minute_are_too_many(accounts: Any, clock: FakeClock) -> None:
    for _ in range(100):
        await ask(accounts.create, items=[item()])
    with pytest.raises(TwilioRestException) as refused:
        await ask(accounts.create, items=[item()])
    assert refused.value.status == 429
    clock.advance(minutes=1)
    await ask(accounts.create, items=[item()])
