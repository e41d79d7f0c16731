"""Every kind of answer, against Twilio's own description of it.

The tables are written from Twilio's API description (OpenAPI, `twilio_api_v2010.json`) and its pages on errors and
paging. The names of the fields are also those that the official package reads.
"""

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountInstance
from twilio.rest.api.v2010.account.balance import BalanceInstance
from twilio.rest.api.v2010.account.incoming_phone_number import IncomingPhoneNumberInstance
from twilio.rest.api.v2010.account.message import MessageInstance
from twilio.rest.api.v2010.account.message.media import MediaInstance
from twilio.rest.api.v2010.account.usage.record.daily import DailyInstance
from twilio.rest.messaging.v1.service.phone_number import PhoneNumberInstance
from twilio.rest.messaging.v1.service.short_code import ShortCodeInstance
from twilio.rest.pricing.v1.messaging.country import CountryInstance

from replyline.clock import FakeClock
from replyline.simulator import (
    BROKEN,
    LANDLINE,
    THROTTLED,
    UNAVAILABLE,
    Fate,
    Fault,
    Policy,
    SimulatedTwilio,
    Status,
    Tariff,
)
from tests.simulator.conftest import ANA, OURS, SHORT_CODE, TOLL_FREE, ask
from tests.simulator.test_rest import raw


def sid(*prefixes: str) -> re.Pattern[str]:
    return re.compile(f"({'|'.join(prefixes)})[0-9a-fA-F]{{32}}")


# A type, a pattern of a string, or several of them in a tuple, where None says that the field is nullable.
RFC_2822 = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \+0000")
ISO_8601 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
METHOD = re.compile("GET|POST")
WHOLE = re.compile(r"\d+")  # a number as a string
MESSAGE = {
    "sid": sid("SM", "MM"),
    "account_sid": sid("AC"),
    "messaging_service_sid": (sid("MG"), None),
    "status": re.compile(
        "accepted|scheduled|queued|sending|sent|delivered|undelivered|failed|read|canceled|receiving|received"
        "|partially_delivered"
    ),
    "direction": re.compile("inbound|outbound-api|outbound-call|outbound-reply"),
    "from": (str, None),
    "to": str,
    "body": str,
    "num_segments": WHOLE,
    "num_media": WHOLE,
    "price": (re.compile(r"-?\d+\.\d+"), None),
    "price_unit": (str, None),
    "error_code": (int, None),
    "error_message": (str, None),
    "date_created": RFC_2822,
    "date_updated": RFC_2822,
    "date_sent": (RFC_2822, None),
    "api_version": re.compile("2010-04-01"),
    "uri": re.compile(r"/2010-04-01/Accounts/AC\w{32}/Messages/[SM]M\w{32}\.json"),
    "subresource_uris": dict,
}
MEDIA = {
    "sid": sid("ME"),
    "account_sid": sid("AC"),
    "parent_sid": sid("SM", "MM"),
    "content_type": re.compile(r"\w+/[\w.+-]+"),
    "date_created": RFC_2822,
    "date_updated": RFC_2822,
    "uri": re.compile(r"/2010-04-01/Accounts/AC\w{32}/Messages/[SM]M\w{32}/Media/ME\w{32}\.json"),
}
NUMBER = {
    "sid": sid("PN"),
    "account_sid": sid("AC"),
    "phone_number": re.compile(r"\+\d+"),
    "friendly_name": re.compile(".{1,64}"),
    "sms_url": str,
    "sms_method": METHOD,
    "sms_fallback_url": str,
    "sms_fallback_method": METHOD,
    "sms_application_sid": str,
    "status_callback": str,
    "status_callback_method": METHOD,
    "voice_url": str,
    "voice_method": METHOD,
    "voice_fallback_url": str,
    "voice_fallback_method": METHOD,
    "voice_application_sid": (sid("AP"), None),
    "voice_caller_id_lookup": bool,
    "voice_receive_mode": re.compile("voice|fax"),
    "emergency_status": re.compile("Active|Inactive"),
    "emergency_address_sid": (sid("AD"), None),
    "emergency_address_status": str,
    "capabilities": dict,
    "address_requirements": re.compile("none|any|local|foreign"),
    "address_sid": (sid("AD"), None),
    "api_version": re.compile("2010-04-01"),
    "beta": bool,
    "bundle_sid": (sid("BU"), None),
    "identity_sid": (str, None),
    "origin": re.compile("twilio|hosted"),
    "status": str,
    "trunk_sid": (str, None),
    "type": str,
    "date_created": RFC_2822,
    "date_updated": RFC_2822,
    "uri": re.compile(r"/2010-04-01/Accounts/AC\w{32}/IncomingPhoneNumbers/PN\w{32}\.json"),
}
ACCOUNT = {
    "sid": sid("AC"),
    "owner_account_sid": sid("AC"),
    "friendly_name": str,
    "status": re.compile("active|suspended|closed"),
    "type": re.compile("Trial|Full"),
    "auth_token": (str, None),
    "date_created": RFC_2822,
    "date_updated": RFC_2822,
    "subresource_uris": dict,
    "uri": re.compile(r"/2010-04-01/Accounts/AC\w{32}\.json"),
}
BALANCE = {"account_sid": sid("AC"), "balance": re.compile(r"-?\d+\.\d+"), "currency": re.compile("[A-Z]{3}")}
ERROR = {
    "code": int,
    "message": re.compile(".+", re.DOTALL),
    "more_info": re.compile(r"https://www\.twilio\.com/docs/errors/\d+"),
    "status": int,
}
SENDER = {
    "sid": sid("PN", "SC"),
    "account_sid": sid("AC"),
    "service_sid": sid("MG"),
    "date_created": ISO_8601,
    "date_updated": ISO_8601,
    "phone_number": re.compile(r"\+\d+"),
    "country_code": re.compile("[A-Z]{2}"),
    "capabilities": list,
    "url": re.compile(r"https?://.*/v1/Services/MG\w{32}/(PhoneNumbers|ShortCodes)/(PN|SC)\w{32}"),
}
SHORT = {name: fits for name, fits in SENDER.items() if name != "phone_number"} | {"short_code": re.compile(r"\d+")}
V1_LIST = re.compile(r"https?://.*/v1/.*")
META = {
    "page": int,
    "page_size": int,
    "first_page_url": V1_LIST,
    "previous_page_url": (V1_LIST, None),
    "next_page_url": (V1_LIST, None),
    "url": V1_LIST,
    "key": str,
}
USAGE = {
    "account_sid": sid("AC"),
    "api_version": re.compile("2010-04-01"),
    "as_of": str,
    "category": str,
    "count": (str, None),
    "count_unit": (str, None),
    "description": str,
    "end_date": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "price": re.compile(r"-?\d+(\.\d+)?"),
    "price_unit": str,
    "start_date": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "subresource_uris": dict,
    "uri": re.compile(r"/2010-04-01/Accounts/AC\w{32}/Usage/.*"),
    "usage": (str, None),
    "usage_unit": (str, None),
}
COUNTRY = {
    "country": str,
    "iso_country": re.compile("[A-Z]{2}"),
    "outbound_sms_prices": list,
    "inbound_sms_prices": list,
    "price_unit": str,
    "url": str,
}
PAGE = {
    "page": int,
    "page_size": int,
    "start": int,
    "end": int,
    "uri": re.compile(r"/2010-04-01/Accounts/.*"),
    "first_page_uri": re.compile(r"/2010-04-01/Accounts/.*"),
    "next_page_uri": (re.compile(r"/2010-04-01/Accounts/.*"), None),
    "previous_page_uri": (re.compile(r"/2010-04-01/Accounts/.*"), None),
}


def fits(value: object, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return any(fits(value, each) for each in expected)
    if isinstance(expected, re.Pattern):
        return isinstance(value, str) and expected.fullmatch(value) is not None
    return value is None if expected is None else type(value) is expected


def misfits(record: dict[str, Any], table: dict[str, Any]) -> dict[str, object]:
    """The fields that are not as the table says, those too many and those missing."""
    missing = {name: "missing" for name in table if name not in record}
    return missing | {name: value for name, value in record.items() if not fits(value, table.get(name, ()))}


@pytest.mark.parametrize(
    ("table", "instance"),
    [
        (MESSAGE, MessageInstance),
        (MEDIA, MediaInstance),
        (NUMBER, IncomingPhoneNumberInstance),
        (ACCOUNT, AccountInstance),
        (BALANCE, BalanceInstance),
        (SENDER, PhoneNumberInstance),
        (SHORT, ShortCodeInstance),
        (USAGE, DailyInstance),
        (COUNTRY, CountryInstance),
    ],
)
def test_the_tables_have_the_fields_that_the_official_package_reads(table: dict[str, Any], instance: type) -> None:
    reading = inspect.getsource(instance.__init__)

    assert set(re.findall(r'payload\.get\(\s*"(\w+)"', reading)) == set(table)


async def test_messages_of_every_kind_are_as_described(twilio: SimulatedTwilio, clock: FakeClock) -> None:
    service = twilio.add_messaging_service([OURS])
    twilio.faults.on_messages(LANDLINE, to="+12125550145")
    twilio.faults.on_messages(Fate(status=Status.FAILED, error_code=999_999), to="+12125550146")  # Twilio adds codes
    later = (clock.now() + timedelta(hours=1)).isoformat()
    forms = [
        {"From": OURS, "Body": "Hello"},
        {"From": OURS, "Body": "Hello", "To": "+12125550145"},
        {"From": OURS, "Body": "Hello", "To": "+12125550146"},
        {"MessagingServiceSid": service.sid, "Body": "Hello"},
        {"MessagingServiceSid": service.sid, "Body": "Later", "ScheduleType": "fixed", "SendAt": later},
        {"From": OURS, "MediaUrl": ["https://acme.test/a.png", "https://acme.test/b.pdf"]},
        {"From": OURS, "Body": "As MMS", "SendAsMms": "true"},
    ]
    received = await twilio.phone(ANA).text("Hi", media=[("image/png", b"\x89PNG")])

    created = [await raw(twilio, "POST", "/Messages.json", data={"To": ANA} | form) for form in forms]
    await twilio.settle()
    fetched = [await raw(twilio, "GET", f"/Messages/{each.json()['sid']}.json") for each in created]
    inbound = await raw(twilio, "GET", f"/Messages/{received}.json")
    canceled = await raw(twilio, "POST", f"/Messages/{created[4].json()['sid']}.json", data={"Status": "canceled"})
    redacted = await raw(twilio, "POST", f"/Messages/{received}.json", data={"Body": ""})

    assert [each.status_code for each in created] == [201] * len(forms)
    for answer in (*created, *fetched, inbound, canceled, redacted):
        assert misfits(answer.json(), MESSAGE) == {}
    assert [each.json()["status"] for each in created] == [
        "queued", "queued", "queued", "accepted", "scheduled", "queued", "queued",
    ]  # fmt: skip
    assert [each.json()["status"] for each in fetched] == [
        "delivered", "undelivered", "failed", "delivered", "scheduled", "delivered", "delivered",
    ]  # fmt: skip
    with_service = created[3].json()
    assert (with_service["from"], with_service["num_segments"]) == (None, "0")
    assert [each.json()["sid"][:2] for each in created[4:]] == ["SM", "MM", "MM"]
    assert (canceled.json()["status"], redacted.json()["body"], redacted.json()["num_media"]) == ("canceled", "", "1")
    assert inbound.json()["direction"] == "inbound"
    assert [each.json()["error_code"] for each in fetched[:3]] == [None, 30006, 999_999]


async def test_lists_are_as_described_on_every_page(twilio: SimulatedTwilio, client: Client) -> None:
    for _ in range(5):
        await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    await twilio.settle()

    for size, counts in ((2, [2, 2, 1]), (5, [5]), (50, [5])):
        pages = await all_pages(twilio, f"/Messages.json?PageSize={size}")
        assert [len(page.pop("messages")) for page in pages] == counts
        assert [misfits(page, PAGE) for page in pages] == [{} for _ in pages]
        assert [(page["page"], page["start"], page["page_size"]) for page in pages] == [
            (n, n * size, size) for n in range(len(pages))
        ]
        assert [page["previous_page_uri"] is None for page in pages] == [n == 0 for n in range(len(pages))]
    empty = (await raw(twilio, "GET", "/Messages.json?To=%2B12125550199")).json()
    assert (empty.pop("messages"), misfits(empty, PAGE)) == ([], {})


async def test_media_are_as_described(twilio: SimulatedTwilio) -> None:
    pictures = [("image/png", b"\x89PNG"), ("application/vnd.ms-excel", b"x"), ("image/svg+xml", b"<svg/>")]
    message = await twilio.phone(ANA).text("Hi", media=pictures)

    [page] = await all_pages(twilio, f"/Messages/{message}/Media.json")
    listed = page.pop("media_list")
    fetched = (await raw(twilio, "GET", f"/Messages/{message}/Media/{listed[0]['sid']}.json")).json()
    deleted = await raw(twilio, "DELETE", f"/Messages/{message}/Media/{listed[0]['sid']}.json")

    assert misfits(page, PAGE) == {}
    assert [misfits(each, MEDIA) for each in (*listed, fetched)] == [{}] * 4
    assert (deleted.status_code, deleted.content) == (204, b"")


async def test_numbers_the_account_and_its_balance_are_as_described(twilio: SimulatedTwilio) -> None:
    twilio.add_number(TOLL_FREE, can_mms=False)
    [page] = await all_pages(twilio, "/IncomingPhoneNumbers.json")
    listed = page.pop("incoming_phone_numbers")
    path = f"/IncomingPhoneNumbers/{listed[0]['sid']}.json"
    fetched = (await raw(twilio, "GET", path)).json()
    updated = (await raw(twilio, "POST", path, data={"FriendlyName": "Front desk", "SmsMethod": "GET"})).json()

    assert misfits(page, PAGE) == {}
    assert [misfits(each, NUMBER) for each in (*listed, fetched, updated)] == [{}] * 4
    assert [set(each["capabilities"]) for each in listed] == [{"voice", "sms", "mms", "fax"}] * 2
    account = await ask(
        requests.get,
        f"{twilio.url}/2010-04-01/Accounts/{twilio.account_sid}.json",
        auth=(twilio.account_sid, twilio.auth_token),
        timeout=5,
    )
    assert misfits(account.json(), ACCOUNT) == {}
    assert misfits((await raw(twilio, "GET", "/Balance.json")).json(), BALANCE) == {}


async def test_the_pool_of_a_messaging_service_is_as_described(twilio: SimulatedTwilio) -> None:
    twilio.add_number(SHORT_CODE)
    service = twilio.add_messaging_service([OURS, SHORT_CODE, "ACME"])

    for path, table, address in (("PhoneNumbers", SENDER, OURS), ("ShortCodes", SHORT, SHORT_CODE)):
        page = await elsewhere(twilio, f"/v1/Services/{service.sid}/{path}")
        [sender] = page.pop(page["meta"]["key"])
        assert (misfits(page.pop("meta"), META), page) == ({}, {})
        assert misfits(sender, table) == {}
        assert address in sender.values()


async def test_usage_and_prices_are_as_described(twilio: SimulatedTwilio, client: Client) -> None:
    twilio.policy = Policy(tariff=Tariff(countries={"US": {"sms_out": "0.0083", "sms_in": "0.0083"}}))
    await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    await twilio.settle()

    page = (await raw(twilio, "GET", "/Usage/Records/Daily.json")).json()
    records = page.pop("usage_records")
    assert records != []
    assert [misfits(each, USAGE) for each in records] == [{} for _ in records]
    assert misfits(page, PAGE) == {}
    assert misfits(await elsewhere(twilio, "/v1/Messaging/Countries/US"), COUNTRY) == {}


async def elsewhere(twilio: SimulatedTwilio, path: str) -> dict[str, Any]:
    """What an API of another host answers."""
    auth = (twilio.account_sid, twilio.auth_token)
    answer = await ask(requests.get, f"{twilio.url}{path}", auth=auth, timeout=5)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


MISSING = "/Messages/SM" + "f" * 32


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "code"),
    [
        ("POST", "/Messages.json", {}, 400, 21604),
        ("POST", "/Messages.json", {"data": {"To": "+12125550188", "From": OURS, "Body": "x"}}, 400, 21614),
        ("GET", "/Messages.json?PageSize=1001", {}, 400, 20007),
        ("GET", "/Messages.json?DateSent=yesterday", {}, 400, 30400),
        ("GET", "/Messages.json", {"auth": ("AC1", "wrong")}, 401, 20003),
        ("GET", f"{MISSING}.json", {}, 404, 20404),
        ("POST", f"{MISSING}.json", {"data": {"Body": ""}}, 404, 20404),
        ("DELETE", f"{MISSING}.json", {}, 404, 20404),
        ("GET", f"{MISSING}/Media.json", {}, 404, 20404),
        ("GET", "/IncomingPhoneNumbers/PN1.json", {}, 404, 20404),
        ("GET", "/Nothing.json", {}, 404, 20404),
        ("DELETE", "/Balance.json", {}, 405, 20004),
    ],
)
async def test_refusals_are_as_described(
    twilio: SimulatedTwilio, method: str, path: str, given: dict[str, Any], status: int, code: int
) -> None:
    twilio.policy = Policy(landlines=frozenset({"+12125550188"}))

    answer = await raw(twilio, method, path, **given)

    check_error(answer, status, code)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (THROTTLED, 429, 20429),
        (BROKEN, 500, 20500),
        (UNAVAILABLE, 503, 20503),
        (Fault.refused(20003, status=403), 403, 20003),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/Messages.json"),
        ("GET", "/Messages.json"),
        ("GET", f"{MISSING}.json"),
        ("POST", f"{MISSING}.json"),
        ("DELETE", f"{MISSING}.json"),
        ("GET", f"{MISSING}/Media/ME1"),
        ("GET", "/Balance.json"),
    ],
)
async def test_errors_of_twilios_own_are_as_described(
    twilio: SimulatedTwilio, method: str, path: str, fault: Fault, status: int, code: int
) -> None:
    twilio.faults.on_requests(fault)

    check_error(await raw(twilio, method, path), status, code)


async def test_a_text_on_its_way_is_neither_redacted_nor_deleted_nor_canceled(
    twilio: SimulatedTwilio, clock: FakeClock
) -> None:
    service = twilio.add_messaging_service([OURS])
    form = {"To": ANA, "MessagingServiceSid": service.sid, "Body": "x", "ScheduleType": "fixed"}
    form["SendAt"] = (clock.now() + timedelta(hours=1)).isoformat()
    path = f"/Messages/{(await raw(twilio, 'POST', '/Messages.json', data=form)).json()['sid']}.json"

    check_error(await raw(twilio, "DELETE", path), 409, 20009)
    check_error(await raw(twilio, "POST", path, data={"Body": ""}), 409, 20009)
    check_error(await raw(twilio, "POST", path, data={"Body": "Other words"}), 400, 30400)
    check_error(await raw(twilio, "POST", path, data={"Status": "sent"}), 400, 30400)
    clock.advance(hours=1)
    await twilio.settle()
    check_error(await raw(twilio, "POST", path, data={"Status": "canceled"}), 409, 30409)


async def test_the_official_package_reads_every_answer(
    twilio: SimulatedTwilio, client: Client, clock: FakeClock
) -> None:
    received = await twilio.phone(ANA).text("Hi", media=[("image/png", b"\x89PNG")])
    made = await ask(client.messages.create, to=ANA, from_=OURS, body="Hello")
    await twilio.settle()
    fetched = await ask(client.messages(made.sid).fetch)
    listed = await ask(client.messages.list)
    [media] = await ask(client.messages(received).media.list)
    [number] = await ask(client.incoming_phone_numbers.list)
    balance = await ask(client.balance.fetch)
    account = await ask(client.api.accounts(twilio.account_sid).fetch)

    now = datetime(2026, 3, 2, 18, tzinfo=UTC)
    assert {each.date_created for each in (made, fetched, *listed, media, number, account)} == {now}
    assert (made.date_sent, fetched.date_sent, fetched.error_code) == (None, now, None)
    assert fetched.status == MessageInstance.Status.DELIVERED
    assert listed[-1].direction == MessageInstance.Direction.INBOUND
    assert {str(status) for status in Status} <= set(vars(MessageInstance.Status).values())
    assert (media.parent_sid, number.phone_number, balance.currency, account.status) == (
        received,
        OURS,
        "USD",
        "active",
    )
    for delete in (client.messages(received).media(media.sid).delete, client.messages(made.sid).delete):
        assert await ask(delete) is True


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, UNAVAILABLE, Fault.refused(21614)])
@pytest.mark.parametrize(
    "asking",
    [
        lambda client: client.messages.create(to=ANA, from_=OURS, body="Hello"),
        lambda client: client.messages(MISSING[-34:]).fetch(),
        lambda client: client.messages(MISSING[-34:]).update(body=""),
        lambda client: client.messages(MISSING[-34:]).delete(),
        lambda client: client.balance.fetch(),
    ],
)
async def test_the_official_package_reads_every_error(
    twilio: SimulatedTwilio, client: Client, asking: Callable[[Client], object], fault: Fault
) -> None:
    twilio.faults.on_requests(fault)

    with pytest.raises(TwilioRestException) as failed:
        await ask(asking, client)

    assert (failed.value.status, failed.value.code) == (fault.status, fault.code)


async def all_pages(twilio: SimulatedTwilio, path: str) -> list[dict[str, Any]]:
    """Every page of a list, by the links."""
    pages = [(await raw(twilio, "GET", path)).json()]
    while pages[-1]["next_page_uri"] is not None:
        auth = (twilio.account_sid, twilio.auth_token)
        answer = await ask(requests.get, twilio.url + pages[-1]["next_page_uri"], auth=auth, timeout=5)
        pages.append(answer.json())
    return pages


def check_error(answer: requests.Response, status: int, code: int) -> None:
    body = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert misfits(body, ERROR) == {}
    assert (body["status"], body["code"]) == (status, code)
    assert body["more_info"].endswith(f"/{code}")
    assert re.fullmatch(r"RQ[0-9a-f]{32}", answer.headers["Twilio-Request-Id"])
