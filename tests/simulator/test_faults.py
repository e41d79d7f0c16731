"""What goes wrong on demand."""

import base64
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from replyline.simulator import (
    BROKEN,
    BROKEN_AFTER_ACCEPTING,
    DROPPED,
    DROPPED_AFTER_ACCEPTING,
    SILENT,
    SILENT_AFTER_ACCEPTING,
    THROTTLED,
    Fate,
    Fault,
    SimulatedTwilio,
    Status,
)
from tests.simulator.conftest import ANA, OURS, OurServer, ask


@pytest.mark.parametrize(
    ("fault", "status", "code", "texts"),
    [(THROTTLED, 429, 20429, 0), (BROKEN, 500, 20500, 0), (BROKEN_AFTER_ACCEPTING, 500, 20500, 1)],
)
async def test_an_error_is_answered(
    client: Client, twilio: SimulatedTwilio, fault: Fault, status: int, code: int, texts: int
) -> None:
    twilio.faults.next_creates(fault)

    with pytest.raises(TwilioRestException) as failed:
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    await ask(client.messages.list)
    await twilio.settle()

    assert (failed.value.status, failed.value.code) == (status, code)
    assert len(twilio.messages) == texts


@pytest.mark.parametrize(("fault", "texts"), [(DROPPED, 0), (DROPPED_AFTER_ACCEPTING, 1)])
async def test_a_connection_is_dropped(client: Client, twilio: SimulatedTwilio, fault: Fault, texts: int) -> None:
    phone = twilio.phone(ANA)
    twilio.faults.next_creates(fault)

    with pytest.raises(requests.ConnectionError):
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    await twilio.settle()

    assert len(phone.screen) == texts


@pytest.mark.parametrize(("fault", "texts"), [(SILENT, 0), (SILENT_AFTER_ACCEPTING, 1)])
async def test_an_answer_never_comes(client: Client, twilio: SimulatedTwilio, fault: Fault, texts: int) -> None:
    phone = twilio.phone(ANA)
    client.http_client.timeout = 0.2
    twilio.faults.next_creates(fault)

    with pytest.raises(requests.ReadTimeout):
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    await twilio.settle()

    assert len(phone.screen) == texts


async def test_a_fault_wears_out(client: Client, twilio: SimulatedTwilio) -> None:
    twilio.faults.next_creates(THROTTLED, times=2)

    for _ in range(2):
        with pytest.raises(TwilioRestException):
            await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    made = await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")

    assert made.status == "queued"


async def test_a_rule_decides_which_requests_go_wrong(client: Client, twilio: SimulatedTwilio) -> None:
    twilio.faults.of_requests.append(lambda request: BROKEN if request.fields.get("Body") == "Hello" else None)

    await ask(client.messages.create, to=ANA, from_=OURS, body="Bye")
    with pytest.raises(TwilioRestException):
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    twilio.faults.clear()
    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")


@pytest.mark.parametrize(
    ("fate", "statuses", "is_on_phone"),
    [
        (Fate(status=Status.SENT), ["sent"], False),
        (Fate(status=Status.UNDELIVERED, error_code=30003), ["sent", "undelivered"], False),
        (Fate(status=Status.FAILED, error_code=30036), ["failed"], False),
        (Fate(), ["sent", "delivered"], True),
    ],
)
async def test_a_text_ends_as_it_is_decided(
    client: Client, twilio: SimulatedTwilio, ours: OurServer, fate: Fate, statuses: list[str], is_on_phone: bool
) -> None:
    phone = twilio.phone(ANA)
    twilio.faults.next_messages(fate)

    made = await ask(client.messages.create, to=ANA, from_=OURS, body="Hello", status_callback=f"{ours.url}/status")
    await twilio.settle()

    assert ours.statuses() == statuses
    assert ours.got[-1].form.get("ErrorCode") == (str(fate.error_code) if fate.error_code else None)
    fetched = await ask(client.messages(made.sid).fetch)
    assert (fetched.status, fetched.error_code) == (statuses[-1], fate.error_code)
    assert (fetched.error_message is None) is (fate.error_code is None)
    assert bool(phone.screen) is is_on_phone


async def test_where_the_server_cannot_drop_the_answer_breaks_off(twilio: SimulatedTwilio) -> None:
    twilio.faults.next_creates(DROPPED)
    account = base64.b64encode(f"{twilio.account_sid}:{twilio.auth_token}".encode())
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/2010-04-01/Accounts/{twilio.account_sid}/Messages.json",
        "query_string": b"",
        "headers": [(b"host", b"twilio.test"), (b"authorization", b"Basic " + account)],
    }
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: object) -> None:
        sent.append(message)

    await twilio.app(scope, receive, send)

    assert dict(sent[0]["headers"])[b"content-length"] == b"1000"
    assert (sent[1]["body"], sent[1]["more_body"]) == (b"{", True)
