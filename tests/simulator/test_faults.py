"""What goes wrong on demand."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from replyline.clock import FakeClock
from replyline.simulator import (
    BROKEN,
    BROKEN_AFTER_ACCEPTING,
    DROPPED,
    DROPPED_AFTER_ACCEPTING,
    INSTANT,
    LANDLINE,
    SILENT,
    SILENT_AFTER_ACCEPTING,
    STAYS_SENT,
    THROTTLED,
    UNAVAILABLE,
    UNAVAILABLE_AFTER_ACCEPTING,
    UNREACHABLE,
    BadTrouble,
    Direction,
    Fate,
    Fault,
    Faults,
    Message,
    RestRequest,
    SimulatedTwilio,
    Status,
    Trouble,
    WebhookFault,
    WebhookRequest,
)
from tests.simulator.conftest import ANA, OURS, OurServer, ask

BRUNO = "+12125550145"


@pytest.mark.parametrize(
    ("fault", "status", "code", "texts"),
    [
        (THROTTLED, 429, 20429, 0),
        (BROKEN, 500, 20500, 0),
        (BROKEN_AFTER_ACCEPTING, 500, 20500, 1),
        (UNAVAILABLE, 503, 20503, 0),
        (UNAVAILABLE_AFTER_ACCEPTING, 503, 20503, 1),
        (Fault.refused(21614), 400, 21614, 0),
        (Fault.refused(21610), 400, 21610, 0),
    ],
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
        (Fate(status=Status.SENT, error_code=30008), ["sent"], False),
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


async def test_throttling_has_twilios_body_and_may_say_for_how_long(client: Client, twilio: SimulatedTwilio) -> None:
    twilio.faults.next_creates(Fault(status=429, code=20429, retry_after=3))
    url = f"{twilio.url}/2010-04-01/Accounts/{twilio.account_sid}/Messages.json"
    auth, form = (twilio.account_sid, twilio.auth_token), {"To": ANA, "From": OURS, "Body": "Hello"}

    answer = await ask(requests.post, url, data=form, auth=auth, timeout=5)

    assert answer.headers["Retry-After"] == "3"
    assert answer.json() == {
        "code": 20429,
        "message": "Too Many Requests",
        "more_info": "https://www.twilio.com/docs/errors/20429",
        "status": 429,
    }


async def test_a_refusal_that_was_ordered_names_the_number_as_twilios_own_does(
    client: Client, twilio: SimulatedTwilio
) -> None:
    twilio.faults.next_creates(Fault.refused(21614))

    with pytest.raises(TwilioRestException, match=r"'To' number is not a valid mobile number: \+12125550123"):
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")


@pytest.mark.parametrize("after_accepting", [False, True])
async def test_a_slow_answer_is_the_usual_one(
    client: Client, twilio: SimulatedTwilio, clock: FakeClock, after_accepting: bool
) -> None:
    twilio.faults.next_creates(Fault.slow(3, after_accepting=after_accepting))
    asking = asyncio.create_task(ask(client.messages.create, to=ANA, from_=OURS, body="Hello"))
    await asyncio.sleep(0.1)
    assert (len(twilio.messages), asking.done()) == (int(after_accepting), False)

    clock.advance(seconds=3)

    assert (await asking).status == "queued"
    assert len(twilio.messages) == 1


async def test_who_hangs_up_on_a_slow_twilio_may_find_the_text_sent_later(
    client: Client, twilio: SimulatedTwilio, clock: FakeClock
) -> None:
    phone = twilio.phone(ANA)
    client.http_client.timeout = 0.2
    twilio.faults.next_creates(Fault.slow(3))

    with pytest.raises(requests.ReadTimeout):
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    assert twilio.messages == []
    clock.advance(seconds=3)

    await phone.wait_for(1)


@pytest.mark.parametrize(("fault", "error"), [(BROKEN, TwilioException), (DROPPED, requests.ConnectionError)])
async def test_lists_and_fetches_fail_too(
    client: Client, twilio: SimulatedTwilio, fault: Fault, error: type[Exception]
) -> None:
    made = await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    twilio.faults.on_requests(fault, method="GET")

    for what in (client.messages.list, client.messages(made.sid).fetch, client.balance.fetch):
        with pytest.raises(error):
            await ask(what)
    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")


@pytest.mark.parametrize(
    ("which", "fitting", "other"),
    [
        ({"to": ANA}, {"to": ANA}, {"to": BRUNO}),
        ({"sender": OURS}, {"sender": OURS}, {"sender": "+14155550101"}),
        ({"path": "/Media/"}, {"path": "/Messages/MM1/Media/ME1"}, {"path": "/Messages.json"}),
        ({"method": "GET"}, {"method": "GET"}, {"method": "POST"}),
    ],
)
def test_trouble_is_for_those_it_is_meant_for(
    which: dict[str, Any], fitting: dict[str, str], other: dict[str, str]
) -> None:
    faults = Faults()
    faults.on_requests(BROKEN, **which)

    assert faults.of_request(a_request(**fitting)) is BROKEN
    assert faults.of_request(a_request(**other)) is None


@pytest.mark.parametrize(
    ("which", "fitting", "other"),
    [
        ({"to": ANA}, {"to": ANA}, {"to": BRUNO}),
        ({"sender": ANA}, {"sender": ANA}, {"sender": BRUNO}),
        ({"path": "/status"}, {"path": "/status"}, {"path": "/sms"}),
        ({"status": "delivered"}, {"status": "delivered"}, {"status": "sent"}),
        ({"status": "delivered"}, {"status": "delivered"}, {}),
        ({"is_inbound": True}, {}, {"status": "sent"}),
        ({"is_inbound": False}, {"status": "sent"}, {}),
    ],
)
def test_trouble_with_webhooks_is_for_those_it_is_meant_for(
    which: dict[str, Any], fitting: dict[str, str], other: dict[str, str]
) -> None:
    faults = Faults()
    faults.on_webhooks(WebhookFault.TWICE, **which)

    assert faults.of_webhook(a_webhook(**fitting)) is WebhookFault.TWICE
    assert faults.of_webhook(a_webhook(**other)) is None


def test_trouble_is_listed_and_taken_back(clock: FakeClock) -> None:
    faults = Faults(clock=clock)
    first = faults.next_creates(THROTTLED, times=2)
    second = faults.on_messages(UNREACHABLE, to=ANA)
    third = faults.on_webhooks(WebhookFault.LOST, lasts=60)
    assert faults.standing() == [first, second, third]

    faults.of_request(a_request())
    assert (first.left, first.trouble.times) == (1, 2)
    faults.of_request(a_request())
    assert faults.standing() == [second, third]
    clock.advance(seconds=60)
    assert faults.standing() == [second]
    assert faults.of_webhook(a_webhook()) is None
    faults.clear(second.id)
    assert faults.standing() == []


def test_trouble_taken_back_by_its_id_leaves_the_rest() -> None:
    faults = Faults()
    faults.of_requests.append(lambda request: BROKEN)
    faults.clear(faults.on_requests(THROTTLED).id)

    assert faults.of_request(a_request()) is BROKEN


def test_a_share_of_requests_goes_wrong() -> None:
    faults = Faults()
    faults.on_requests(BROKEN, share=0.2, seed=1)

    wrong = sum(faults.of_request(a_request(to=f"+1212555{n:04}")) is BROKEN for n in range(2000))

    assert 340 < wrong < 460


def test_the_same_seed_gives_each_phone_the_same_luck_whatever_happens_to_others() -> None:
    def luck(seed: int, order: list[str]) -> dict[str, list[Fault | None]]:
        faults = Faults()
        faults.at_random(seed=seed, requests={THROTTLED: 0.3, BROKEN: 0.3})
        found: dict[str, list[Fault | None]] = {ANA: [], BRUNO: []}
        for to in order:
            found[to].append(faults.of_request(a_request(to=to)))
        return found

    one_by_one, mixed = [ANA] * 40 + [BRUNO] * 40, [BRUNO, ANA] * 40
    assert luck(7, one_by_one) == luck(7, mixed)
    assert luck(7, mixed) != luck(8, mixed)
    assert luck(7, mixed)[ANA] != luck(7, mixed)[BRUNO]


def test_luck_looks_at_no_sids_and_ports() -> None:
    def luck(sid: str, port: int) -> list[object]:
        faults = Faults()
        faults.at_random(seed=7, requests={BROKEN: 0.5}, webhooks={WebhookFault.LOST: 0.5})
        path = f"/2010-04-01/Accounts/AC{'1' * 32}/Messages/{sid}.json"
        asked = [faults.of_request(a_request(method="GET", path=path)) for _ in range(20)]
        return asked + [faults.of_webhook(a_webhook(host=f"http://127.0.0.1:{port}")) for _ in range(20)]

    assert luck("SM" + "a" * 32, 8000) == luck("SM" + "b" * 32, 9000)


def test_chances_are_as_likely_as_they_were_given() -> None:
    faults = Faults()
    chances = {UNREACHABLE: 0.2, STAYS_SENT: 0.3, LANDLINE: 0.5}
    faults.at_random(seed=3, messages=chances)
    fates = [faults.of_message(a_message(f"+1212555{n:04}")) for n in range(3000)]

    for fate, share in chances.items():
        assert abs(fates.count(fate) / 3000 - share) < 0.03


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (lambda: Faults().on_requests(BROKEN, share=1.5), "A share is a probability from 0 to 1; 1.5 is not."),
        (lambda: Faults().on_requests(BROKEN, times=0), "Trouble strikes at least once and lasts longer than no time."),
        (lambda: Faults().on_messages(LANDLINE, path="/x"), "'path' does not tell messages apart; leave it out."),
        (lambda: Trouble(what=BROKEN, status="sent"), "'status' does not tell REST requests apart; leave it out."),
        (
            lambda: Faults().at_random(seed=1, requests={BROKEN: 0.6, DROPPED: 0.5}),
            "Each probability is from 0 to 1, and those of one kind are at most 1 together.",
        ),
    ],
)
def test_what_cannot_go_wrong_is_refused_in_a_sentence(order: Callable[[], object], sentence: str) -> None:
    with pytest.raises(BadTrouble) as refused:
        order()

    assert str(refused.value) == sentence


async def test_a_persons_texts_end_like_that_until_it_is_cleared(client: Client, twilio: SimulatedTwilio) -> None:
    twilio.faults.on_messages(UNREACHABLE, to=BRUNO)

    for to in (BRUNO, ANA, BRUNO):
        await ask(client.messages.create, to=to, from_=OURS, body="Hello")
    await twilio.settle()
    twilio.faults.clear()
    await ask(client.messages.create, to=BRUNO, from_=OURS, body="Hello")
    await twilio.settle()

    assert [message.error_code for message in twilio.messages] == [30003, None, 30003, None]


async def test_a_late_webhook_comes_after_its_time(
    client: Client, twilio: SimulatedTwilio, ours: OurServer, clock: FakeClock
) -> None:
    twilio.faults.on_webhooks(WebhookFault.late(4), status="delivered")

    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello", status_callback=f"{ours.url}/status")
    await twilio.settle()
    assert ours.statuses() == ["sent"]
    clock.advance(seconds=4)
    await twilio.settle()

    assert ours.statuses() == ["sent", "delivered"]


async def test_a_late_text_is_with_twilio_before_our_server_hears_of_it(
    twilio: SimulatedTwilio, ours: OurServer, clock: FakeClock
) -> None:
    twilio.faults.next_webhooks(WebhookFault.late(4), is_inbound=True)

    texting = asyncio.create_task(twilio.phone(ANA).text("Hi"))
    await asyncio.sleep(0)
    await twilio.settle()
    assert ([message.body for message in twilio.messages], ours.got) == (["Hi"], [])
    clock.advance(seconds=4)
    await texting

    assert [webhook.form["Body"] for webhook in ours.got] == ["Hi"]


async def test_status_callbacks_come_out_of_order(client: Client, twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.faults.next_webhooks(WebhookFault.OVERTAKEN)

    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello", status_callback=f"{ours.url}/status")
    await twilio.settle()

    assert ours.statuses() == ["delivered", "sent"]


async def test_texts_of_a_phone_come_out_of_order(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.faults.on_webhooks(WebhookFault.OVERTAKEN, sender=ANA)
    phone = twilio.phone(ANA)

    first = asyncio.create_task(phone.text("one"))
    await asyncio.sleep(0)
    await twilio.phone(BRUNO).text("of another phone")
    await phone.text("two")
    await first

    assert [webhook.form["Body"] for webhook in ours.got] == ["of another phone", "two", "one"]


async def test_what_nothing_overtakes_comes_in_the_end(
    client: Client, twilio: SimulatedTwilio, ours: OurServer, clock: FakeClock
) -> None:
    twilio.faults.next_webhooks(WebhookFault.OVERTAKEN, status="delivered")

    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello", status_callback=f"{ours.url}/status")
    await twilio.settle()
    assert ours.statuses() == ["sent"]
    clock.advance(seconds=30)
    await twilio.settle()

    assert ours.statuses() == ["sent", "delivered"]


async def test_two_copies_of_a_webhook_may_come_at_the_same_moment(twilio: SimulatedTwilio, ours: OurServer) -> None:
    twilio.faults.next_webhooks(WebhookFault.TWICE_AT_ONCE)
    ours.takes["/sms"] = 0.1

    await asyncio.wait_for(twilio.phone(ANA).text("Hi"), 5)

    first, second = ours.got
    assert first.form == second.form
    assert first.headers["i-twilio-idempotency-token"] != second.headers["i-twilio-idempotency-token"]


@pytest.mark.parametrize("status", ["sent", "delivered", None])
@pytest.mark.parametrize(("fault", "times"), [(WebhookFault.LOST, 0), (WebhookFault.TWICE, 2)])
async def test_webhooks_of_each_kind_are_lost_or_repeated(
    client: Client, twilio: SimulatedTwilio, ours: OurServer, status: str | None, fault: WebhookFault, times: int
) -> None:
    twilio.faults.on_webhooks(fault, status=status, is_inbound=status is None)

    await twilio.phone(ANA).text("Hi")
    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello", status_callback=f"{ours.url}/status")
    await twilio.settle()

    got = [webhook.form.get("MessageStatus") for webhook in ours.got]
    assert [got.count(each) for each in ("sent", "delivered", None)] == [
        times if each == status else 1 for each in ("sent", "delivered", None)
    ]


async def test_in_an_outage_nothing_is_heard_of_texts_and_afterwards_they_are_in_the_list(
    client: Client, twilio: SimulatedTwilio, ours: OurServer, clock: FakeClock
) -> None:
    twilio.faults.outage(lasts=60)

    await twilio.phone(ANA).text("Hi")
    for what in (client.messages.list, client.balance.fetch):
        with pytest.raises(TwilioException, match=r"20503|Service Unavailable"):
            await ask(what)
    clock.advance(seconds=60)

    assert ours.got == []
    assert [message.body for message in await ask(client.messages.list)] == ["Hi"]
    await twilio.phone(ANA).text("Are you back?")
    assert [webhook.form["Body"] for webhook in ours.got] == ["Are you back?"]


async def test_an_outage_can_look_like_nobody_listens(client: Client, twilio: SimulatedTwilio) -> None:
    twilio.faults.outage(DROPPED)

    with pytest.raises(requests.ConnectionError):
        await ask(client.messages.list)
    twilio.faults.clear()
    assert await ask(client.messages.list) == []


async def test_while_nothing_listens_the_account_stays_as_it_is(clock: FakeClock, unused_tcp_port: int) -> None:
    twilio = SimulatedTwilio(clock=clock, delivery=INSTANT)
    twilio.add_number(OURS)
    phone, to = twilio.phone(ANA), f"http://127.0.0.1:{unused_tcp_port}/2010-04-01/Accounts/{twilio.account_sid}"
    auth, form = (twilio.account_sid, twilio.auth_token), {"To": ANA, "From": OURS, "Body": "Hello"}

    async with twilio.serving(port=unused_tcp_port):
        await ask(requests.post, f"{to}/Messages.json", data=form, auth=auth, timeout=5)
        await twilio.settle()
    with pytest.raises(requests.ConnectionError, match="refused"):
        await ask(requests.post, f"{to}/Messages.json", data=form, auth=auth, timeout=5)
    async with twilio.serving(port=unused_tcp_port):
        await ask(requests.post, f"{to}/Messages.json", data=form, auth=auth, timeout=5)
        await twilio.settle()

    assert phone.screen == ["Hello", "Hello"]


def a_request(*, method: str = "POST", path: str = "/Messages.json", sender: str = OURS, to: str = ANA) -> RestRequest:
    return RestRequest(method=method, path=path, fields={"From": sender, "To": to})


def a_webhook(
    *, host: str = "http://127.0.0.1:1", path: str = "/sms", sender: str = ANA, to: str = OURS, status: str = ""
) -> WebhookRequest:
    fields = {"From": sender, "To": to} | ({"MessageStatus": status} if status else {})
    return WebhookRequest(url=f"{host}{path}?text=txt_1", fields=fields)


def a_message(to: str) -> Message:
    at = FakeClock().now()
    return Message(
        sid="SM1",
        direction=Direction.API,
        sender=OURS,
        to=to,
        body="Hello",
        status=Status.QUEUED,
        created_at=at,
        updated_at=at,
    )
