"""The control API: the simulated Twilio, told over HTTP what to do."""

import base64
from typing import Any

import pytest
import requests
from starlette.responses import Response
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from replyline.clock import FakeClock
from replyline.simulator import (
    BROKEN,
    BROKEN_AFTER_ACCEPTING,
    DELIVERED,
    DROPPED,
    DROPPED_AFTER_ACCEPTING,
    FILTERED,
    LANDLINE,
    OPTED_OUT,
    SILENT,
    SILENT_AFTER_ACCEPTING,
    STAYS_SENT,
    THROTTLED,
    UNAVAILABLE,
    UNAVAILABLE_AFTER_ACCEPTING,
    UNREACHABLE,
    Fate,
    Fault,
    Faults,
    SimulatedTwilio,
    Status,
    Trouble,
    WebhookFault,
)
from replyline.simulator.fault_json import read_trouble, standing_json, what_json
from tests.simulator.conftest import ANA, OURS, SHORT_CODE, OurServer, ask

BRUNO = "+12125550145"


async def control(twilio: SimulatedTwilio, method: str, path: str, given: object = None, **kwargs: Any) -> Any:
    if given is not None:
        kwargs["json"] = given
    return await ask(requests.request, method, f"{twilio.url}/control{path}", timeout=5, **kwargs)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (THROTTLED, {"request": "throttled"}),
        (Fault(status=429, code=20429, retry_after=3), {"request": "throttled", "retry_after": 3}),
        (BROKEN, {"request": "broken"}),
        (BROKEN_AFTER_ACCEPTING, {"request": "broken", "after_accepting": True}),
        (UNAVAILABLE, {"request": "unavailable"}),
        (UNAVAILABLE_AFTER_ACCEPTING, {"request": "unavailable", "after_accepting": True}),
        (DROPPED, {"request": "dropped"}),
        (DROPPED_AFTER_ACCEPTING, {"request": "dropped", "after_accepting": True}),
        (SILENT, {"request": "silent"}),
        (SILENT_AFTER_ACCEPTING, {"request": "silent", "after_accepting": True}),
        (Fault.slow(3), {"request": "slow", "seconds": 3}),
        (Fault.slow(3, after_accepting=True), {"request": "slow", "seconds": 3, "after_accepting": True}),
        (Fault.refused(21614), {"request": "refused", "code": 21614}),
        (Fault.refused(20003), {"request": "refused", "code": 20003}),
        (Fault.refused(21614, status=422), {"request": "refused", "code": 21614, "http_status": 422}),
        (Fault(status=502, code=20500), {"request": "broken", "http_status": 502}),
        (DELIVERED, {"message": "delivered"}),
        (STAYS_SENT, {"message": "sent"}),
        (UNREACHABLE, {"message": "undelivered", "error_code": 30003}),
        (LANDLINE, {"message": "undelivered", "error_code": 30006}),
        (FILTERED, {"message": "undelivered", "error_code": 30007}),
        (OPTED_OUT, {"message": "failed", "error_code": 21610}),
        (WebhookFault.LOST, {"webhook": "lost"}),
        (WebhookFault.TWICE, {"webhook": "twice"}),
        (WebhookFault.TWICE_AT_ONCE, {"webhook": "twice_at_once"}),
        (WebhookFault.OVERTAKEN, {"webhook": "overtaken"}),
        (WebhookFault.late(4), {"webhook": "late", "seconds": 4}),
        (WebhookFault(copies=5), {"webhook": "lost", "copies": 5}),
    ],
)
def test_each_fault_has_a_json_form_and_is_read_from_it(what: object, said: dict[str, Any]) -> None:
    assert what_json(what) == said
    assert read_trouble(said) == Trouble(what=what)


def test_where_trouble_strikes_is_said_and_read_too(clock: FakeClock) -> None:
    said = {"webhook": "twice", "times": 2, "lasts": 60, "share": 0.5, "seed": 7, "to": ANA, "from": OURS}
    said |= {"path": "/status", "status": "sent", "inbound": False}
    standing = Faults(clock=clock).add(read_trouble(said))

    assert standing_json(standing) == said | {"id": "1", "left": 2, "until": "2026-03-02T18:01:00+00:00"}
    assert read_trouble({"request": "broken", "method": "GET"}) == Trouble(what=BROKEN, method="GET")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([1], "A fault is a JSON object with one of 'request', 'message' and 'webhook'."),
        ({}, "A fault is a JSON object with one of 'request', 'message' and 'webhook'."),
        (
            {"request": "broken", "message": "sent"},
            "A fault is a JSON object with one of 'request', 'message' and 'webhook'.",
        ),
        (
            {"request": "bent"},
            "No request goes wrong as 'bent'; choose among throttled, broken, unavailable, refused, slow, dropped, "
            "silent.",
        ),
        (
            {"message": "queued"},
            "No message goes wrong as 'queued'; choose among delivered, sent, undelivered, failed.",
        ),
        ({"request": "slow"}, "The request that is 'slow' needs its 'seconds'."),
        ({"request": "refused"}, "The request that is 'refused' needs its 'code'."),
        ({"webhook": "late"}, "The webhook that is 'late' needs its 'seconds'."),
        ({"webhook": "late", "seconds": -1}, "No detail of a fault is less than nothing."),
        ({"webhook": "late", "seconds": 1e300}, "'seconds' must be a number up to 1e9, and 1e+300 is not."),
        ({"request": "broken", "lasts": 10**12}, "'lasts' must be a number up to 1e9, and 1000000000000 is not."),
        ({"request": "broken", "http_status": 999}, "An 'http_status' that says no is from 400 to 599."),
        ({"request": "broken", "times": "2"}, "'times' must be a whole number, and \"2\" is not."),
        ({"request": "broken", "times": True}, "'times' must be a whole number, and true is not."),
        ({"request": "broken", "share": 2}, "A share is a probability from 0 to 1; 2 is not."),
        ({"message": "sent", "path": "/x"}, "'path' does not tell messages apart; leave it out."),
        (
            {"message": "failed", "code": 30003},
            "A fault has no 'code' here; it may have message, error_code, times, lasts, share, seed, to, from, path, "
            "method, status, inbound.",
        ),
    ],
)
async def test_a_bad_fault_is_refused_in_one_sentence(twilio: SimulatedTwilio, given: object, sentence: str) -> None:
    answer = await control(twilio, "POST", "/faults", given)

    assert (answer.status_code, answer.json()) == (400, {"error": sentence})
    assert twilio.faults.standing() == []


async def test_faults_are_added_listed_and_cleared(twilio: SimulatedTwilio, client: Client) -> None:
    added = await control(twilio, "POST", "/faults", {"request": "throttled", "times": 1, "to": ANA})
    assert (added.status_code, added.json()["left"]) == (201, 1)
    both = await control(twilio, "POST", "/faults", [{"request": "unavailable"}, {"webhook": "lost"}])
    assert [each["id"] for each in both.json()] == ["2", "3"]

    with pytest.raises(TwilioRestException) as throttled:
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    with pytest.raises(TwilioRestException) as away:
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    assert (throttled.value.status, away.value.status) == (429, 503)

    assert [each["id"] for each in (await control(twilio, "GET", "/faults")).json()] == ["2", "3"]
    assert [each["id"] for each in (await control(twilio, "DELETE", "/faults/2")).json()] == ["3"]
    assert (await control(twilio, "DELETE", "/faults/2")).status_code == 400
    assert (await control(twilio, "DELETE", "/faults")).json() == []
    assert (await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")).status == "queued"


async def test_of_a_list_with_one_bad_fault_none_is_added(twilio: SimulatedTwilio) -> None:
    answer = await control(twilio, "POST", "/faults", [{"request": "broken"}, {"request": "bent"}])

    assert answer.status_code == 400
    assert twilio.faults.standing() == []


async def test_chance_is_the_same_as_in_python(twilio: SimulatedTwilio) -> None:
    chance = {
        "seed": 7,
        "requests": [{"request": "throttled", "share": 0.02}, {"request": "slow", "seconds": 3, "share": 0.05}],
        "messages": [{"message": "undelivered", "error_code": 30003, "share": 0.5}],
        "webhooks": [{"webhook": "twice", "share": 0.1}],
    }
    answer = await control(twilio, "POST", "/faults/at-random", chance)

    faults = Faults()
    faults.at_random(
        seed=7,
        requests={THROTTLED: 0.02, Fault.slow(3): 0.05},
        messages={UNREACHABLE: 0.5},
        webhooks={WebhookFault.TWICE: 0.1},
    )
    assert answer.status_code == 201
    assert [each.trouble for each in twilio.faults.standing()] == [each.trouble for each in faults.standing()]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"requests": []}, "Chance needs a seed, so that it can be played again."),
        ({"seed": 7, "requests": [{"request": "broken"}]}, "Each fault needs its 'share', a probability from 0 to 1."),
        ({"seed": 7, "requests": [{"webhook": "lost", "share": 1}]}, "Among 'requests' each fault has a 'request'."),
        (
            {"seed": 7, "requests": [{"request": "broken", "share": 0.7}, {"request": "dropped", "share": 0.7}]},
            "Each probability is from 0 to 1, and those of one kind are at most 1 together.",
        ),
    ],
)
async def test_bad_chance_is_refused_in_one_sentence(twilio: SimulatedTwilio, given: object, sentence: str) -> None:
    answer = await control(twilio, "POST", "/faults/at-random", given)

    assert (answer.status_code, answer.json()) == (400, {"error": sentence})
    assert twilio.faults.standing() == []


async def test_a_phone_texts_and_shows_what_came(twilio: SimulatedTwilio, ours: OurServer, client: Client) -> None:
    picture = {"content_type": "image/png", "content": base64.b64encode(b"\x89PNG").decode()}
    sent = await control(twilio, "POST", f"/phones/{ANA}/texts", {"body": "Hi", "media": [picture]})
    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    await twilio.settle()

    assert sent.status_code == 201
    assert [(webhook.form["MessageSid"], webhook.form["NumMedia"]) for webhook in ours.got] == [
        (sent.json()["sid"], "1")
    ]
    [text] = (await control(twilio, "GET", f"/phones/{ANA}/texts")).json()
    assert (text["body"], text["from"], text["at"]) == ("Hello", OURS, "2026-03-02T18:00:00+00:00")
    assert text["sid"] == twilio.messages[-1].sid


async def test_a_phone_that_nobody_looked_at_has_its_texts_all_the_same(
    twilio: SimulatedTwilio, client: Client
) -> None:
    await ask(client.messages.create, to=BRUNO, from_=OURS, body="Hello")
    await twilio.settle()

    assert [text["body"] for text in (await control(twilio, "GET", f"/phones/{BRUNO}/texts")).json()] == ["Hello"]


async def test_messages_and_alerts_are_listed(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.add_number(OURS, sms_url=f"{ours.url}/sms")
    twilio.faults.next_webhooks(WebhookFault.LOST)
    lost = await twilio.phone(ANA).text("lost")
    ours.answers["/sms"] = lambda: Response("", 500)
    failed = await twilio.phone(ANA).text("failed")

    messages = (await control(twilio, "GET", "/messages")).json()
    assert [(message["sid"], message["body"]) for message in messages] == [(lost, "lost"), (failed, "failed")]
    assert (await control(twilio, "GET", "/alerts")).json() == [
        {"code": 11200, "url": f"{ours.url}/sms", "message_sid": failed, "at": "2026-03-02T18:00:00+00:00"}
    ]


async def test_numbers_and_services_are_given_to_the_account(
    twilio: SimulatedTwilio, ours: OurServer, client: Client
) -> None:
    added = await control(
        twilio, "POST", "/numbers", {"number": SHORT_CODE, "sms_url": f"{ours.url}/short", "can_mms": False}
    )
    service = await control(twilio, "POST", "/services", {"senders": [SHORT_CODE], "advanced_opt_out": True})
    await control(twilio, "POST", f"/phones/{ANA}/texts", {"body": "HELP", "to": SHORT_CODE})

    assert (added.status_code, service.status_code) == (201, 201)
    assert [number["phone_number"] for number in (await control(twilio, "GET", "/numbers")).json()] == [
        OURS,
        SHORT_CODE,
    ]
    [webhook] = ours.at("/short")
    assert (webhook.form["MessagingServiceSid"], webhook.form["OptOutType"]) == (service.json()["sid"], "HELP")


async def test_the_policy_is_shown_and_changed(twilio: SimulatedTwilio, client: Client) -> None:
    before = (await control(twilio, "GET", "/policy")).json()
    assert (before["pacing"], before["landlines"], before["countries"]) == (None, [], None)

    changed = await control(
        twilio, "PATCH", "/policy", {"landlines": [ANA], "pacing": {"long_code_to_us": 1, "queue_segments": 1}}
    )
    assert changed.json()["pacing"]["long_code_to_us"] == 1
    codes = []
    for to in (ANA, BRUNO, BRUNO):
        try:
            codes.append((await ask(client.messages.create, to=to, from_=OURS, body="Hello")).status)
        except TwilioRestException as refused:
            codes.append(refused.code)
    assert codes == [21614, "queued", 21611]

    back = await control(twilio, "PATCH", "/policy", {"landlines": None, "pacing": None})
    assert back.json() == before


async def test_a_phone_is_put_on_twilios_own_list(twilio: SimulatedTwilio, client: Client) -> None:
    await control(twilio, "POST", f"/phones/{ANA}/opt-outs", {"number": OURS})

    with pytest.raises(TwilioRestException) as refused:
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    assert refused.value.code == 21610


@pytest.mark.parametrize(
    ("method", "path", "kwargs", "sentence"),
    [
        ("POST", "/faults", {"data": "{}"}, "The control API takes JSON: send Content-Type: application/json."),
        (
            "POST",
            "/faults",
            {"data": "{", "headers": {"Content-Type": "application/json"}},
            "That is not JSON.",
        ),
        ("POST", f"/phones/{ANA}/texts", {"json": {}}, "A text has a 'body', 'media', or both."),
        (
            "POST",
            f"/phones/{ANA}/texts",
            {"json": {"body": "Hi", "to": "+14155550199"}},
            "The simulated account has no such number; give it one with `add_number`.",
        ),
        (
            "POST",
            f"/phones/{ANA}/texts",
            {"json": {"media": [{"content_type": "image/png", "content": "?"}]}},
            "A picture's 'content' must be base64.",
        ),
        ("GET", "/phones/12/texts", {}, "A phone number needs its country code, such as +14155550123."),
        ("POST", "/numbers", {"json": {}}, "A number needs its 'number'."),
        ("POST", "/services", {"json": {}}, "A service needs its 'senders'."),
        (
            "PATCH",
            "/policy",
            {"json": {"pacing": {"toll_free": 0}}},
            "A pacing's 'toll_free' must be more than 0, and 0 is not.",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused_in_one_sentence(
    twilio: SimulatedTwilio, method: str, path: str, kwargs: dict[str, Any], sentence: str
) -> None:
    answer = await control(twilio, method, path, **kwargs)

    assert (answer.status_code, answer.json()) == (400, {"error": sentence})


@pytest.mark.parametrize(
    "body",
    [
        '{"request": "slow", "seconds": NaN}',
        '{"request": "slow", "seconds": 1e400}',
        "[" * 100_000,
        '{"to": "\\ud83d"}',
    ],
)
async def test_what_is_no_json_to_others_is_none_here(twilio: SimulatedTwilio, body: str) -> None:
    answer = await control(twilio, "POST", "/faults", data=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()) == (400, {"error": "That is not JSON."})


async def test_faults_do_not_touch_the_control_api(twilio: SimulatedTwilio) -> None:
    twilio.faults.outage(DROPPED)

    assert len((await control(twilio, "GET", "/faults")).json()) == 2
    assert (await control(twilio, "DELETE", "/faults")).json() == []


def test_a_fate_without_an_error_code_is_one_too() -> None:
    assert read_trouble({"message": "failed"}).what == Fate(status=Status.FAILED)
