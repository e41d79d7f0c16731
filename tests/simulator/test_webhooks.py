"""What the simulated Twilio sends to our server, and what it does with the answers."""

import asyncio
from collections.abc import Callable

import pytest
from starlette.responses import RedirectResponse, Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.twiml.messaging_response import MessagingResponse

from replyline.clock import FakeClock
from replyline.simulator import Kind, SimulatedTwilio, WebhookFault
from tests.simulator.conftest import ANA, OURS, OurServer, Webhook, ask

# Texts to a US number come with these, most of the places blank.
FIELDS = {
    "ToCountry", "ToState", "SmsMessageSid", "NumMedia", "ToCity", "FromZip", "SmsSid", "FromState", "SmsStatus",
    "FromCity", "Body", "FromCountry", "To", "ToZip", "NumSegments", "MessageSid", "AccountSid", "From", "ApiVersion",
}  # fmt: skip


def is_valid(twilio: SimulatedTwilio, webhook: Webhook) -> bool:
    validator = RequestValidator(twilio.auth_token)
    return bool(validator.validate(webhook.url, webhook.form, webhook.headers["x-twilio-signature"]))


def twiml(build: Callable[[MessagingResponse], object]) -> Callable[[], Response]:
    response = MessagingResponse()
    build(response)
    return lambda: Response(str(response), media_type="text/xml")


def fails() -> Response:
    return Response("Oops", 500, media_type="text/plain")


async def test_a_text_arrives_with_twilios_fields(twilio: SimulatedTwilio, ours: OurServer) -> None:
    sid = await twilio.phone(ANA).text("Hi + bye 👋")

    [webhook] = ours.at("/sms")
    assert set(webhook.form) == FIELDS
    assert webhook.form["MessageSid"] == webhook.form["SmsSid"] == webhook.form["SmsMessageSid"] == sid
    assert (webhook.form["From"], webhook.form["To"], webhook.form["Body"]) == (ANA, OURS, "Hi + bye 👋")
    assert (webhook.form["NumMedia"], webhook.form["NumSegments"], webhook.form["SmsStatus"]) == ("0", "1", "received")
    assert (webhook.form["FromCountry"], webhook.form["FromCity"], webhook.form["ToZip"]) == ("US", "", "")
    assert webhook.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert webhook.headers["i-twilio-idempotency-token"]


async def test_pictures_arrive_as_addresses_at_twilio(twilio: SimulatedTwilio, ours: OurServer) -> None:
    sid = await twilio.phone(ANA).text(media=[("image/png", b"one"), ("image/jpeg", b"two")])

    [webhook] = ours.at("/sms")
    assert (webhook.form["Body"], webhook.form["NumMedia"]) == ("", "2")
    assert [webhook.form[f"MediaContentType{n}"] for n in range(2)] == ["image/png", "image/jpeg"]
    media = twilio.message(sid).media[1]
    path = f"/2010-04-01/Accounts/{twilio.account_sid}/Messages/{sid}/Media/{media.sid}"
    assert webhook.form["MediaUrl1"] == twilio.url + path


@pytest.mark.parametrize("query", ["", "?tenant=a%20b&x='1'"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_webhook_is_signed(
    twilio: SimulatedTwilio, ours: OurServer, client: Client, method: str, query: str
) -> None:
    twilio.add_number(OURS, sms_url=f"{ours.url}/sms{query}#rc=2", sms_method=method)

    await twilio.phone(ANA).text("¿Qué tal? 'quoted' & more")
    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello", status_callback=f"{ours.url}/status{query}")
    await twilio.settle()

    [arrived] = ours.at("/sms")
    assert arrived.method == method
    assert (arrived.query if method == "GET" else arrived.form)["Body"] == "¿Qué tal? 'quoted' & more"
    assert arrived.query.get("x") == ("'1'" if query else None)
    assert [webhook.method for webhook in ours.at("/status")] == ["POST", "POST"]
    assert len(ours.got) == 3
    assert all(is_valid(twilio, webhook) for webhook in ours.got)


async def test_twilio_signs_with_the_token_that_is_primary_now(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.auth_token = "promoted"

    await twilio.phone(ANA).text("Hi")

    assert is_valid(twilio, ours.got[0])


async def test_a_status_callback_comes_at_each_step(twilio: SimulatedTwilio, ours: OurServer, client: Client) -> None:
    made = await ask(
        client.messages.create, to=ANA, from_=OURS, body="Hello", status_callback=f"{ours.url}/status?text=txt_1"
    )
    await twilio.settle()

    sent, delivered = ours.at("/status")
    assert sent.form == {
        "ApiVersion": "2010-04-01",
        "MessageStatus": "sent",
        "SmsSid": made.sid,
        "SmsStatus": "sent",
        "To": ANA,
        "From": OURS,
        "MessageSid": made.sid,
        "AccountSid": twilio.account_sid,
    }
    assert delivered.form["MessageStatus"] == "delivered"
    assert delivered.form["RawDlrDoneDate"] == "2603021800"
    assert delivered.query == {"text": "txt_1"}


async def test_a_status_waits_until_the_one_before_it_was_told(
    twilio: SimulatedTwilio, ours: OurServer, client: Client
) -> None:
    got_when_answered: list[int] = []

    def answer() -> Response:
        got_when_answered.append(len(ours.at("/status")))
        return Response(status_code=204)

    ours.takes["/status"], ours.answers["/status"] = 0.05, answer
    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello", status_callback=f"{ours.url}/status")
    await twilio.settle()

    assert got_when_answered == [1, 2]
    assert twilio.alerts == []


async def test_a_service_chooses_the_sender_after_it_has_accepted(
    twilio: SimulatedTwilio, ours: OurServer, client: Client
) -> None:
    service = twilio.add_messaging_service([OURS], status_callback=f"{ours.url}/status")

    made = await ask(client.messages.create, to=ANA, messaging_service_sid=service.sid, body="Hello")
    await twilio.settle()

    assert (made.status, made.from_, made.num_segments) == ("accepted", None, "0")
    assert ours.statuses() == ["queued", "sent", "delivered"]
    assert {(webhook.form["From"], webhook.form["MessagingServiceSid"]) for webhook in ours.got} == {
        (OURS, service.sid)
    }
    message = twilio.message(made.sid)
    assert (message.sender, message.segments) == (OURS, 1)


async def test_a_message_callback_wins_over_its_services(
    twilio: SimulatedTwilio, ours: OurServer, client: Client
) -> None:
    service = twilio.add_messaging_service([OURS], status_callback=f"{ours.url}/service")

    await ask(
        client.messages.create,
        to=ANA,
        messaging_service_sid=service.sid,
        body="x",
        status_callback=f"{ours.url}/status",
    )
    await twilio.settle()

    assert ours.statuses() == ["queued", "sent", "delivered"]
    assert ours.at("/service") == []


async def test_a_texts_service_is_named_and_its_webhook_called(twilio: SimulatedTwilio, ours: OurServer) -> None:
    service = twilio.add_messaging_service([OURS], inbound_request_url=f"{ours.url}/service")

    await twilio.phone(ANA).text("Hi")

    [webhook] = ours.got
    assert webhook.url == f"{ours.url}/service"
    assert webhook.form["MessagingServiceSid"] == service.sid


async def test_a_service_can_leave_it_to_the_numbers_webhook(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.add_messaging_service([OURS], inbound_request_url=f"{ours.url}/service", use_inbound_webhook_on_number=True)

    await twilio.phone(ANA).text("Hi")

    assert [webhook.url for webhook in ours.got] == [f"{ours.url}/sms"]


async def test_a_service_without_a_webhook_does_not_even_log_texts(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.add_number(OURS, sms_url="")
    twilio.add_messaging_service([OURS])

    await twilio.phone(ANA).text("Hi")

    assert (ours.got, twilio.messages) == ([], [])


async def test_twiml_is_done(twilio: SimulatedTwilio, ours: OurServer) -> None:
    phone, bruno = twilio.phone(ANA), twilio.phone("+12125550145")

    def build(response: MessagingResponse) -> None:
        first = response.message(action="/status")
        first.body("See you ")
        first.media("/class.png")
        response.message("A friend comes too", to=bruno.number)

    ours.answers["/sms"] = twiml(build)
    await phone.text("Hi")
    await twilio.settle()

    assert (phone.screen, bruno.screen) == (["See you"], ["A friend comes too"])
    assert phone.received[0].media_urls == (f"{ours.url}/class.png",)
    assert [message.direction for message in twilio.messages] == ["inbound", "outbound-reply", "outbound-reply"]
    assert ours.statuses() == ["sent", "delivered"]


async def test_an_empty_response_says_nothing(twilio: SimulatedTwilio) -> None:
    phone = twilio.phone(ANA)

    await phone.text("Hi")
    await twilio.settle()

    assert (phone.screen, twilio.alerts) == ([], [])


async def test_a_text_plain_answer_is_texted_back(twilio: SimulatedTwilio, ours: OurServer) -> None:
    ours.answers["/sms"] = lambda: Response("Traceback (most recent call last)", media_type="text/plain")
    phone = twilio.phone(ANA)

    await phone.text("Hi")
    await twilio.settle()

    assert phone.screen == ["Traceback (most recent call last)"]


async def test_a_redirect_is_fetched_and_done(twilio: SimulatedTwilio, ours: OurServer) -> None:
    ours.answers["/sms"] = twiml(lambda response: response.redirect("/elsewhere"))
    ours.answers["/elsewhere"] = twiml(lambda response: response.message("Found you"))
    phone = twilio.phone(ANA)

    await phone.text("Hi")
    await twilio.settle()

    assert phone.screen == ["Found you"]
    assert is_valid(twilio, ours.at("/elsewhere")[0])


async def test_redirects_do_not_go_on_for_ever(twilio: SimulatedTwilio, ours: OurServer) -> None:
    ours.answers["/sms"] = twiml(lambda response: response.redirect("/sms"))

    await twilio.phone(ANA).text("Hi")

    assert [alert.code for alert in twilio.alerts] == [14106]
    assert len(ours.got) == 50


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (fails, 11200),
        (lambda: Response("no", 404, media_type="text/plain"), 11200),
        (lambda: Response("<Response>", media_type="text/xml"), 12100),
        (lambda: Response("<html></html>", media_type="text/html"), 12100),
        (lambda: Response('{"a": 1}', media_type="application/json"), 12300),
        (lambda: Response("<Response/>"), 12300),
        (lambda: Response(f"<Response><!--{'x' * 65536}--></Response>", media_type="text/xml"), 11750),
        (twiml(lambda response: response.message("x" * 1601)), 14103),
        (twiml(lambda response: response.message("")), 14103),
        (twiml(lambda response: response.message("x", from_="+14155550999")), 14102),
        (twiml(lambda response: response.message("x", method="PUT")), 14104),
        (twiml(lambda response: [response.message("x") for _ in range(11)]), 14109),
        (twiml(lambda response: response.message("x").media("https://[::1")), 11100),
        (twiml(lambda response: response.redirect("https://[::1")), 11100),
    ],
)
async def test_what_cannot_be_done_goes_to_the_fallback(
    twilio: SimulatedTwilio, ours: OurServer, answer: Callable[[], Response], code: int
) -> None:
    twilio.add_number(OURS, sms_url=f"{ours.url}/sms#rc=1", fallback_url=f"{ours.url}/fallback")
    ours.answers["/sms"] = answer
    ours.answers["/fallback"] = twiml(lambda response: response.message("We will be back."))
    phone = twilio.phone(ANA)

    sid = await phone.text("Hi")
    await twilio.settle()

    [fallback] = ours.at("/fallback")
    assert fallback.form["MessageSid"] == sid
    assert (fallback.form["ErrorCode"], fallback.form["ErrorUrl"]) == (str(code), f"{ours.url}/sms")
    assert is_valid(twilio, fallback)
    assert phone.screen == ["We will be back."]
    assert [(alert.code, alert.message_sid) for alert in twilio.alerts] == [(code, sid)]


async def test_without_a_fallback_a_failure_is_only_an_alert(twilio: SimulatedTwilio, ours: OurServer) -> None:
    ours.answers["/sms"] = fails
    phone = twilio.phone(ANA)

    await phone.text("Hi")
    await twilio.settle()

    assert ([alert.code for alert in twilio.alerts], phone.screen) == ([11200], [])
    assert len(ours.got) == 1


async def test_a_verb_that_is_not_for_texts_is_only_a_warning(twilio: SimulatedTwilio, ours: OurServer) -> None:
    ours.answers["/sms"] = lambda: Response(
        "<Response><Say>Hi</Say><Message>Hello</Message></Response>", media_type="application/xml"
    )
    phone = twilio.phone(ANA)

    await phone.text("Hi")
    await twilio.settle()

    assert ([alert.code for alert in twilio.alerts], phone.screen) == ([14110], ["Hello"])


@pytest.mark.parametrize(
    ("fragment", "attempts"),
    [("", 1), ("#rc=2", 1), ("#rc=2&rp=4xx", 1), ("#rc=2&rp=5xx,rt", 3), ("#rc=5&rp=all", 6), ("#rc=0&rp=all", 1)],
)
async def test_a_webhook_is_retried_as_its_url_says(
    twilio: SimulatedTwilio, ours: OurServer, fragment: str, attempts: int
) -> None:
    twilio.add_number(OURS, sms_url=f"{ours.url}/sms{fragment}")
    ours.answers["/sms"] = fails

    await twilio.phone(ANA).text("Hi")

    assert len(ours.got) == attempts
    assert len({webhook.headers["i-twilio-idempotency-token"] for webhook in ours.got}) == 1
    assert all(is_valid(twilio, webhook) for webhook in ours.got)


@pytest.mark.parametrize(
    ("policy", "answer", "takes"),
    [
        ("4xx", lambda: Response("no", 404, media_type="text/xml"), 0),
        ("5xx", fails, 0),
        ("rt", fails, 0.4),
    ],
)
@pytest.mark.parametrize("is_retried", [True, False])
async def test_a_webhook_is_tried_as_often_as_its_url_says_and_then_the_fallback(
    twilio: SimulatedTwilio,
    ours: OurServer,
    policy: str,
    answer: Callable[[], Response],
    takes: float,
    is_retried: bool,
) -> None:
    fragment = f"#rc=2&rt=100&rp={policy if is_retried else 'ct'}"
    twilio.add_number(OURS, sms_url=f"{ours.url}/sms{fragment}", fallback_url=f"{ours.url}/fallback")
    ours.answers["/sms"], ours.takes["/sms"] = answer, takes

    sid = await twilio.phone(ANA).text("Hi")

    assert len(ours.at("/sms")) == (3 if is_retried else 1)
    assert [(webhook.form["MessageSid"], webhook.form["ErrorCode"]) for webhook in ours.at("/fallback")] == [
        (sid, "11200")
    ]


@pytest.mark.parametrize(("fragment", "attempts"), [("", 2), ("#rc=3", 4), ("#rc=3&rp=5xx", 1), ("#rc=0", 1)])
async def test_a_connection_that_cannot_be_made_is_tried_again_and_then_the_fallback(
    twilio: SimulatedTwilio, ours: OurServer, fragment: str, attempts: int
) -> None:
    connections = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(await reader.read(1))
        writer.write(b"This is no TLS.\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/sms"
        twilio.add_number(OURS, sms_url=f"{address}{fragment}", fallback_url=f"{ours.url}/fallback")

        await twilio.phone(ANA).text("Hi")

    assert len(connections) == attempts
    assert [webhook.form["ErrorCode"] for webhook in ours.got] == ["11220"]


async def test_a_status_callback_is_retried_as_its_url_says_and_has_no_fallback(
    twilio: SimulatedTwilio, ours: OurServer, client: Client
) -> None:
    twilio.add_number(OURS, sms_url=f"{ours.url}/sms", fallback_url=f"{ours.url}/fallback")
    ours.answers["/status"] = fails

    callback = f"{ours.url}/status#rc=2&rp=5xx"
    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello", status_callback=callback)
    await twilio.settle()

    assert ours.statuses() == ["sent"] * 3 + ["delivered"] * 3
    assert len(ours.got) == 6
    assert [alert.code for alert in twilio.alerts] == [11200, 11200]


@pytest.mark.parametrize("fragment", ["#rc=2&rp=5xx", "#rc=2&rp=all"])
async def test_a_retry_that_works_is_enough(twilio: SimulatedTwilio, ours: OurServer, fragment: str) -> None:
    twilio.add_number(OURS, sms_url=f"{ours.url}/sms{fragment}")
    ours.answers["/sms"] = lambda: fails() if len(ours.got) == 1 else Response("<Response/>", media_type="text/xml")

    await twilio.phone(ANA).text("Hi")

    assert (len(ours.got), twilio.alerts) == (2, [])


async def test_a_server_that_is_away_is_called_at_the_fallback(
    twilio: SimulatedTwilio, ours: OurServer, unused_tcp_port: int
) -> None:
    twilio.add_number(OURS, sms_url=f"http://127.0.0.1:{unused_tcp_port}/sms", fallback_url=f"{ours.url}/fallback")

    await twilio.phone(ANA).text("Hi")

    assert [webhook.form["ErrorCode"] for webhook in ours.got] == ["11205"]


@pytest.mark.parametrize("fragment", ["#rt=100&rc=0", "#tt=100"])
async def test_a_slow_server_is_given_up(twilio: SimulatedTwilio, ours: OurServer, fragment: str) -> None:
    twilio.add_number(OURS, sms_url=f"{ours.url}/slow{fragment}", fallback_url=f"{ours.url}/fallback")
    ours.takes["/slow"] = 0.3

    await twilio.phone(ANA).text("Hi")

    assert [webhook.form["ErrorCode"] for webhook in ours.at("/fallback")] == ["11200"]


async def test_a_server_that_redirects_for_ever_is_given_up(twilio: SimulatedTwilio, ours: OurServer) -> None:
    ours.answers["/sms"] = lambda: RedirectResponse(f"{ours.url}/sms", 307)

    await twilio.phone(ANA).text("Hi")

    assert [alert.code for alert in twilio.alerts] == [11215]


async def test_a_webhook_can_be_lost_or_repeated(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.faults.next_webhooks(WebhookFault.LOST)
    await twilio.phone(ANA).text("lost")
    twilio.faults.next_webhooks(WebhookFault.TWICE)
    await twilio.phone(ANA).text("twice")

    assert [webhook.form["Body"] for webhook in ours.got] == ["twice", "twice"]
    assert len({webhook.form["MessageSid"] for webhook in ours.got}) == 1


async def test_who_watches_sees_what_happens(twilio: SimulatedTwilio, ours: OurServer) -> None:
    ours.answers["/sms"] = twiml(lambda response: response.message("Hello"))
    seen = []
    forget = twilio.on_change(lambda change: seen.append((change.kind, change.status)))

    sid = await twilio.phone(ANA).text("Hi")
    await twilio.settle()
    forget()
    await twilio.phone(ANA).text("Hi again")

    assert seen == [
        (Kind.RECEIVED, "received"),
        (Kind.WEBHOOK, "200"),
        (Kind.STATUS, "queued"),
        (Kind.STATUS, "sent"),
        (Kind.ON_PHONE, "on_phone"),
        (Kind.STATUS, "delivered"),
    ]
    assert twilio.message(sid).body == "Hi"


async def test_segments_are_counted_as_twilio_bills_them(
    twilio: SimulatedTwilio, ours: OurServer, client: Client, clock: FakeClock
) -> None:
    await twilio.phone(ANA).text("x" * 161)
    made = await ask(client.messages.create, to=ANA, from_=OURS, body="👋" + "x" * 69)

    assert ours.got[0].form["NumSegments"] == "2"
    assert made.num_segments == "2"
