"""The real `twilio` package, against the simulated Twilio."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from replyline.clock import FakeClock
from replyline.simulator import INSTANT, DeliveryTimes, Policy, SimulatedTwilio
from tests.simulator.conftest import ANA, OURS, SHORT_CODE, ask, client_of


async def raw(twilio: SimulatedTwilio, method: str, path: str, **kwargs: Any) -> requests.Response:
    url = f"{twilio.url}/2010-04-01/Accounts/{twilio.account_sid}{path}"
    kwargs.setdefault("auth", (twilio.account_sid, twilio.auth_token))
    return await ask(requests.request, method, url, timeout=5, allow_redirects=False, **kwargs)


async def test_a_text_is_created_and_reaches_the_phone(client: Client, twilio: SimulatedTwilio) -> None:
    phone = twilio.phone(ANA)

    made = await ask(client.messages.create, to=ANA, from_=OURS, body="Booked: yoga ✅")
    await twilio.settle()

    assert (made.status, made.direction, made.from_, made.num_segments) == ("queued", "outbound-api", OURS, "1")
    assert (made.price, made.error_code, made.date_sent) == (None, None, None)
    assert phone.screen == ["Booked: yoga ✅"]
    fetched = await ask(client.messages(made.sid).fetch)
    assert (fetched.status, fetched.body) == ("delivered", "Booked: yoga ✅")
    assert fetched.date_sent == datetime(2026, 3, 2, 18, tzinfo=UTC)


async def test_every_answer_says_how_busy_the_account_is(twilio: SimulatedTwilio) -> None:
    answers = [
        await raw(twilio, "GET", "/Messages.json"),
        await raw(twilio, "POST", "/Messages.json"),
        await raw(twilio, "GET", "/Balance.json"),
        await raw(twilio, "GET", "/Nothing.json"),
        await raw(twilio, "PUT", "/Messages.json"),
    ]

    for answer in answers:
        assert re.fullmatch(r"RQ[0-9a-f]{32}", answer.headers["Twilio-Request-Id"])
        assert answer.headers["Twilio-Concurrent-Requests"] == "1"
        assert float(answer.headers["Twilio-Request-Duration"]) >= 0


async def test_an_api_key_opens_the_account(client: Client, twilio: SimulatedTwilio) -> None:
    with_key = client_of(twilio, "SK" + "5" * 32, "key secret")

    made = await ask(with_key.messages.create, to=ANA, from_=OURS, body="Hello")

    assert made.account_sid == twilio.account_sid
    with_key.http_client.session.close()


@pytest.mark.parametrize(
    "auth", [None, ("AC" + "0" * 31 + "1", "wrong"), ("SK" + "5" * 32, "wrong"), ("SK" + "6" * 32, ""), ("", "")]
)
async def test_nobody_else_gets_in(twilio: SimulatedTwilio, auth: tuple[str, str] | None) -> None:
    answer = await raw(twilio, "GET", "/Messages.json", auth=auth)

    assert answer.status_code == 401
    assert answer.json() == {
        "code": 20003,
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }


async def test_both_auth_tokens_open_the_account(clock: FakeClock) -> None:
    twilio = SimulatedTwilio(clock=clock, secondary_auth_token="second")
    async with twilio.serving():
        answer = await raw(twilio, "GET", "/Messages.json", auth=(twilio.account_sid, "second"))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, 21604),
        ({"To": ANA}, 21603),
        ({"To": ANA, "From": OURS}, 21602),
        ({"To": ANA, "From": OURS, "Body": ""}, 21602),
        ({"To": ANA, "From": OURS, "Body": "x" * 1601}, 21617),
        ({"To": ANA, "From": OURS, "MediaUrl": ["https://acme.test/a.png"] * 11}, 21623),
        ({"To": ANA, "From": OURS, "MediaUrl": "acme.test/a.png"}, 21620),
        ({"To": "12", "From": OURS, "Body": "x"}, 21211),
        ({"To": "nobody", "From": OURS, "Body": "x"}, 21211),
        ({"To": SHORT_CODE, "From": OURS, "Body": "x"}, 21265),
        ({"To": OURS, "From": OURS, "Body": "x"}, 21266),
        ({"To": ANA, "From": "A name far too long", "Body": "x"}, 21212),
        ({"To": ANA, "From": "+1234", "Body": "x"}, 21212),
        ({"To": ANA, "From": "+14155550199", "Body": "x"}, 21606),
        ({"To": ANA, "From": "ACME", "Body": "x"}, 21612),
        ({"To": "+4915112345678", "From": "ACME", "Body": "x"}, 21408),
        ({"To": "+12125550188", "From": OURS, "Body": "x"}, 21614),
        ({"To": ANA, "From": OURS, "Body": "x", "StatusCallback": "nowhere"}, 21609),
        ({"To": ANA, "From": OURS, "Body": "x", "StatusCallback": "https://my_host.test/"}, 21609),
        ({"To": ANA, "From": OURS, "Body": "x", "ValidityPeriod": "0"}, 21624),
        ({"To": ANA, "From": OURS, "Body": "x", "ValidityPeriod": "36001"}, 21624),
        ({"To": ANA, "From": OURS, "Body": "x", "ValidityPeriod": "²"}, 21624),
        ({"To": ANA, "From": OURS, "Body": "x", "ValidityPeriod": "9" * 5000}, 21624),
        ({"To": ANA, "From": OURS, "Body": "x", "StatusCallback": "https://[::1"}, 21609),
        ({"To": ANA, "From": OURS, "MediaUrl": "https://[::1"}, 21620),
        ({"To": ANA, "MessagingServiceSid": "MG12", "Body": "x"}, 21705),
        ({"To": ANA, "MessagingServiceSid": "MG" + "f" * 32, "Body": "x"}, 21701),
        ({"To": ANA, "From": OURS, "ContentSid": "HX" + "f" * 32}, 21655),
        ({"To": ANA, "From": OURS, "Body": "x", "ScheduleType": "fixed"}, 35111),
        ({"To": ANA, "From": OURS, "Body": "x", "ScheduleType": "fixed", "SendAt": "2026-03-03T18:00:00Z"}, 35118),
        ({"To": ANA, "From": OURS, "Body": "x", "SendAt": "2026-03-03T18:00:00Z"}, 30400),
    ],
)
async def test_a_bad_request_is_refused_with_twilios_code(clock: FakeClock, given: dict[str, Any], code: int) -> None:
    policy = Policy(countries=frozenset({"US"}), landlines=frozenset({"+12125550188"}))
    twilio = SimulatedTwilio(clock=clock, delivery=INSTANT, policy=policy)
    twilio.add_number(OURS)
    async with twilio.serving():
        answer = await raw(twilio, "POST", "/Messages.json", data=given)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert twilio.messages == []


async def test_the_package_raises_what_twilio_refuses(client: Client) -> None:
    with pytest.raises(TwilioRestException) as refused:
        await ask(client.messages.create, to="+1", from_=OURS, body="Hello")

    assert (refused.value.status, refused.value.code) == (400, 21211)
    assert "Invalid 'To' Phone Number: +1" in refused.value.msg


async def test_a_trial_account_texts_verified_numbers_only(clock: FakeClock) -> None:
    twilio = SimulatedTwilio(clock=clock, policy=Policy(verified=frozenset({"+12125550111"})))
    twilio.add_number(OURS)
    async with twilio.serving():
        answer = await raw(twilio, "POST", "/Messages.json", data={"To": ANA, "From": OURS, "Body": "x"})

    assert answer.json()["code"] == 21608


async def test_pictures_need_a_number_that_can_send_them(client: Client, twilio: SimulatedTwilio) -> None:
    twilio.add_number(OURS, can_mms=False)

    with pytest.raises(TwilioRestException) as refused:
        await ask(client.messages.create, to=ANA, from_=OURS, media_url=["https://acme.test/a.png"])

    assert refused.value.code == 21621


async def test_what_is_not_there_is_404(client: Client, twilio: SimulatedTwilio) -> None:
    with pytest.raises(TwilioRestException) as missing:
        await ask(client.messages("SM" + "f" * 32).fetch)
    elsewhere = await raw(twilio, "GET", "/Calls.json")
    others = await ask(
        requests.get,
        f"{twilio.url}/2010-04-01/Accounts/AC{'f' * 32}/Messages.json",
        auth=(twilio.account_sid, twilio.auth_token),
        timeout=5,
    )

    assert (missing.value.status, missing.value.code) == (404, 20404)
    assert elsewhere.json()["code"] == others.json()["code"] == 20404
    assert "/Calls.json was not found" in elsewhere.json()["message"]


async def test_a_wrong_method_is_405(twilio: SimulatedTwilio) -> None:
    answer = await raw(twilio, "DELETE", "/Messages.json")

    assert (answer.status_code, answer.json()["code"]) == (405, 20004)


async def test_pages_are_followed_to_the_end(client: Client, twilio: SimulatedTwilio) -> None:
    for n in range(7):
        await ask(client.messages.create, to=ANA, from_=OURS, body=str(n))
    await twilio.settle()

    everything = await ask(client.messages.list, page_size=3)
    first = await ask(client.messages.page, page_size=3)
    await ask(client.messages.create, to=ANA, from_=OURS, body="new")
    second = await ask(first.next_page)
    third = await ask(second.next_page)
    back = await ask(third.previous_page)

    assert [message.body for message in everything] == ["6", "5", "4", "3", "2", "1", "0"]
    assert [message.body for message in first] == ["6", "5", "4"]
    assert [message.body for message in second] == ["3", "2", "1"]
    assert [message.body for message in third] == ["0"]
    assert third.next_page_url is None
    assert [message.body for message in back] == ["3", "2", "1"]


async def test_a_page_has_at_most_1000_messages(twilio: SimulatedTwilio) -> None:
    answer = await raw(twilio, "GET", "/Messages.json", params={"PageSize": "1001"})

    assert (answer.status_code, answer.json()["code"]) == (400, 20007)


@pytest.mark.parametrize("query", ["PageSize=²", "Page=²", f"PageSize={'9' * 5000}", f"Page={'9' * 5000}"])
async def test_a_page_that_is_no_number_is_the_first(twilio: SimulatedTwilio, query: str) -> None:
    assert (await raw(twilio, "GET", f"/Messages.json?{query}")).json()["page"] == 0


@pytest.mark.parametrize("date", ["9999-12-31", "0001-01-01T00:00:00+14:00"])
async def test_a_day_at_the_end_of_time_is_no_date(twilio: SimulatedTwilio, date: str) -> None:
    answer = await raw(twilio, "GET", "/Messages.json", params={"DateSent": date})

    assert (answer.status_code, answer.json()["code"]) == (400, 30400)


async def test_lists_are_filtered_by_who_and_when(client: Client, twilio: SimulatedTwilio, clock: FakeClock) -> None:
    bruno = "+12125550145"
    for day in range(3):  # noon in Chicago, on March 2nd, 3rd and 4th
        await ask(client.messages.create, to=ANA, from_=OURS, body=f"Ana {day}")
        await ask(client.messages.create, to=bruno, from_=OURS, body=f"Bruno {day}")
        await twilio.settle()
        clock.advance(days=1)
    await twilio.phone(ANA).text("Hi")
    second = datetime(2026, 3, 3, 18, tzinfo=UTC)

    async def bodies(**filters: Any) -> list[str]:
        return [message.body for message in await ask(client.messages.list, page_size=2, **filters)]

    assert await bodies(to=ANA) == ["Ana 2", "Ana 1", "Ana 0"]
    assert await bodies(from_=ANA) == ["Hi"]
    assert await bodies(to=bruno, from_=OURS, date_sent_after=second) == ["Bruno 2", "Bruno 1"]
    assert await bodies(to=bruno, date_sent_after=second + timedelta(seconds=1)) == ["Bruno 2"]
    assert await bodies(to=bruno, date_sent_before=second) == ["Bruno 1", "Bruno 0"]
    assert await bodies(to=bruno, date_sent_before=second - timedelta(seconds=1)) == ["Bruno 0"]
    assert await bodies(to=bruno, date_sent=second) == ["Bruno 1"]
    assert await bodies(to=bruno, date_sent="2026-03-03") == ["Bruno 1"]
    assert await bodies(to=bruno, date_sent_after="2026-03-03") == ["Bruno 2", "Bruno 1"]
    assert await bodies(to=bruno, date_sent_before="2026-03-03") == ["Bruno 1", "Bruno 0"]


async def test_a_text_is_found_in_the_list_before_it_is_sent(clock: FakeClock) -> None:
    twilio = SimulatedTwilio(clock=clock)  # which takes a while until a text is sent
    twilio.add_number(OURS)
    async with twilio.serving():
        made = await raw(twilio, "POST", "/Messages.json", data={"To": ANA, "From": OURS, "Body": "Hello"})
        found = await raw(twilio, "GET", "/Messages.json", params={"DateSent>": "2026-03-02T18:00:00Z"})

    assert [message["sid"] for message in found.json()["messages"]] == [made.json()["sid"]]
    assert found.json()["messages"][0]["date_sent"] is None


async def test_a_scheduled_text_waits_for_its_time(client: Client, twilio: SimulatedTwilio, clock: FakeClock) -> None:
    phone, service = twilio.phone(ANA), twilio.add_messaging_service([OURS])
    made = await ask(
        client.messages.create,
        to=ANA,
        messaging_service_sid=service.sid,
        body="Your class is tomorrow.",
        schedule_type="fixed",
        send_at=clock.now() + timedelta(hours=1),
    )
    await twilio.settle()
    assert (made.status, phone.screen) == ("scheduled", [])

    clock.advance(hours=1)
    await twilio.settle()

    assert phone.screen == ["Your class is tomorrow."]


@pytest.mark.parametrize("ahead", [timedelta(seconds=299), timedelta(days=35, seconds=1)])
async def test_a_text_is_scheduled_neither_too_soon_nor_too_late(
    client: Client, twilio: SimulatedTwilio, clock: FakeClock, ahead: timedelta
) -> None:
    service = twilio.add_messaging_service([OURS])

    with pytest.raises(TwilioRestException) as refused:
        await ask(
            client.messages.create,
            to=ANA,
            messaging_service_sid=service.sid,
            body="x",
            schedule_type="fixed",
            send_at=clock.now() + ahead,
        )

    assert refused.value.code == 35114


async def test_a_canceled_text_is_never_sent(client: Client, twilio: SimulatedTwilio, clock: FakeClock) -> None:
    phone, service = twilio.phone(ANA), twilio.add_messaging_service([OURS])
    send_at = clock.now() + timedelta(hours=1)
    made = await ask(
        client.messages.create,
        to=ANA,
        messaging_service_sid=service.sid,
        body="x",
        schedule_type="fixed",
        send_at=send_at,
    )

    canceled = await ask(client.messages(made.sid).update, status="canceled")
    clock.advance(hours=2)
    await twilio.settle()

    assert (canceled.status, phone.screen) == ("canceled", [])


async def test_only_scheduled_texts_can_be_canceled(client: Client, twilio: SimulatedTwilio) -> None:
    made = await ask(client.messages.create, to=ANA, from_=OURS, body="x")
    await twilio.settle()

    with pytest.raises(TwilioRestException) as refused:
        await ask(client.messages(made.sid).update, status="canceled")

    assert refused.value.code == 30409


async def test_a_text_is_redacted_and_deleted(client: Client, twilio: SimulatedTwilio) -> None:
    made = await ask(client.messages.create, to=ANA, from_=OURS, body="Your code is 1234")
    await twilio.settle()

    redacted = await ask(client.messages(made.sid).update, body="")
    assert (redacted.body, redacted.status) == ("", "delivered")

    assert await ask(client.messages(made.sid).delete)
    assert await ask(client.messages.list) == []


async def test_a_text_in_progress_is_not_deleted(client: Client, twilio: SimulatedTwilio, clock: FakeClock) -> None:
    service = twilio.add_messaging_service([OURS])
    made = await ask(
        client.messages.create,
        to=ANA,
        messaging_service_sid=service.sid,
        body="x",
        schedule_type="fixed",
        send_at=clock.now() + timedelta(hours=1),
    )

    with pytest.raises(TwilioRestException) as refused:
        await ask(client.messages(made.sid).delete)

    assert refused.value.code == 20009


async def test_media_are_listed_fetched_and_deleted(client: Client, twilio: SimulatedTwilio) -> None:
    sid = await twilio.phone(ANA).text("Look", media=[("image/png", b"\x89PNG one"), ("image/gif", b"GIF89a")])
    assert sid.startswith("MM")

    listed = await ask(client.messages(sid).media.list)
    assert [(media.content_type, media.parent_sid) for media in listed] == [("image/png", sid), ("image/gif", sid)]
    fetched = await ask(client.messages(sid).media(listed[0].sid).fetch)
    assert (fetched.sid, fetched.account_sid) == (listed[0].sid, twilio.account_sid)

    assert await ask(client.messages(sid).media(listed[0].sid).delete)
    assert [media.content_type for media in await ask(client.messages(sid).media.list)] == ["image/gif"]
    assert (await ask(client.messages(sid).fetch)).num_media == "1"


async def test_a_picture_needs_credentials_and_its_link_runs_out(twilio: SimulatedTwilio, clock: FakeClock) -> None:
    sid = await twilio.phone(ANA).text("Look", media=[("image/png", b"\x89PNG one")])
    path = f"/Messages/{sid}/Media/{twilio.message(sid).media[0].sid}"

    assert (await raw(twilio, "GET", path, auth=None)).status_code == 401
    redirect = await raw(twilio, "GET", path)
    assert redirect.status_code == 307
    link = redirect.headers["Location"]
    assert link.startswith(f"{twilio.url}/")
    content = await ask(requests.get, link, timeout=5)
    assert (content.content, content.headers["Content-Type"]) == (b"\x89PNG one", "image/png")

    clock.advance(hours=4)
    assert (await ask(requests.get, link, timeout=5)).status_code == 403


async def test_how_long_a_pictures_link_lasts_can_be_set(twilio: SimulatedTwilio, clock: FakeClock) -> None:
    twilio.policy = Policy(media_link_lasts=10)
    sid = await twilio.phone(ANA).text("Look", media=[("image/png", b"\x89PNG one")])
    path = f"/Messages/{sid}/Media/{twilio.message(sid).media[0].sid}"
    link = (await raw(twilio, "GET", path)).headers["Location"]

    clock.advance(seconds=9)
    assert (await ask(requests.get, link, timeout=5)).status_code == 200
    clock.advance(seconds=1)
    assert (await ask(requests.get, link, timeout=5)).status_code == 403
    again = (await raw(twilio, "GET", path)).headers["Location"]
    assert (await ask(requests.get, again, timeout=5)).content == b"\x89PNG one"


async def test_numbers_are_listed_and_their_webhooks_set(client: Client, twilio: SimulatedTwilio) -> None:
    twilio.add_number(SHORT_CODE)
    [number] = await ask(client.incoming_phone_numbers.list)
    assert (number.phone_number, number.capabilities["sms"]) == (OURS, True)

    updated = await ask(
        client.incoming_phone_numbers(number.sid).update,
        sms_url="https://sms.example.com/webhooks/twilio/sms",
        sms_method="GET",
        sms_fallback_url="https://sms.example.com/webhooks/twilio/fallback",
    )

    assert updated.sms_url == "https://sms.example.com/webhooks/twilio/sms"
    fetched = await ask(client.incoming_phone_numbers(number.sid).fetch)
    assert (fetched.sms_method, fetched.sms_fallback_url) == ("GET", updated.sms_fallback_url)
    assert [n.sid for n in await ask(client.incoming_phone_numbers.list, phone_number=OURS)] == [number.sid]
    assert [n.sid for n in await ask(client.incoming_phone_numbers.list, phone_number="+1415*")] == [number.sid]
    assert await ask(client.incoming_phone_numbers.list, phone_number="+1212*") == []
    assert await ask(client.incoming_phone_numbers.list, friendly_name="Another") == []


async def test_a_fallback_needs_a_webhook_to_fall_back_from(client: Client, twilio: SimulatedTwilio) -> None:
    [number] = await ask(client.incoming_phone_numbers.list)

    with pytest.raises(TwilioRestException) as refused:
        await ask(client.incoming_phone_numbers(number.sid).update, sms_url="", sms_fallback_url="https://acme.test/")

    assert refused.value.code == 21406


async def test_the_balance_is_a_string(client: Client, twilio: SimulatedTwilio) -> None:
    balance = await ask(client.balance.fetch)

    assert (balance.account_sid, balance.balance, balance.currency) == (twilio.account_sid, "100.00", "USD")


async def test_the_account_is_active(client: Client, twilio: SimulatedTwilio) -> None:
    account = await ask(client.api.accounts(twilio.account_sid).fetch)

    assert (account.sid, account.status) == (twilio.account_sid, "active")


async def test_a_text_deleted_on_its_way_stays_deleted(clock: FakeClock) -> None:
    slow = SimulatedTwilio(clock=clock, delivery=DeliveryTimes(until_sent=0, until_delivered=5))
    slow.add_number(OURS)
    async with slow.serving():
        made = await raw(slow, "POST", "/Messages.json", data={"To": ANA, "From": OURS, "Body": "Hello"})
        deleted = await raw(slow, "DELETE", f"/Messages/{made.json()['sid']}.json")
        clock.advance(seconds=5)
        await slow.settle()

    assert (deleted.status_code, slow.messages) == (204, [])
