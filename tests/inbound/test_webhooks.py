"""The webhooks as Twilio meets them, signed by the vendor's own validator."""

import asyncio
from urllib.parse import urlencode

import pytest
import structlog
from sqlalchemy import select
from twilio.request_validator import RequestValidator

from replyline.db.tables import delivery_reports, texts
from replyline.inbound.keep_counts import KEPT
from replyline.inbound.limits import PerAddress
from replyline.inbound.webhooks import APOLOGY, Counts, Fallback, Sms, StatusCallback
from tests.support.asgi import call
from tests.support.cast import ANA, GYM_NUMBER, a_line, a_sid

TOKEN = "0123456789abcdef0123456789abcdef"
NEXT_TOKEN = "fedcba9876543210fedcba9876543210"
PUBLIC = "https://sms.example.test"
PATH = "/webhooks/twilio/sms"


def form(**given):
    """The nineteen fields that real texts have, several of them blank."""
    sid = given.pop("MessageSid", None) or a_sid()
    return {
        "ToCountry": "US", "ToState": "CA", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "FromZip": "",
        "SmsSid": sid, "FromState": "NY", "SmsStatus": "received", "FromCity": "NEW YORK", "Body": "Hi + bye 👋 ñ",
        "FromCountry": "US", "To": GYM_NUMBER, "ToZip": "", "NumSegments": "1", "MessageSid": sid,
        "AccountSid": "AC" + "0" * 32, "From": ANA, "ApiVersion": "2010-04-01",
    } | given  # fmt: skip


def signed(fields, *, url=PUBLIC + PATH, token=TOKEN):
    return {"X-Twilio-Signature": RequestValidator(token).compute_signature(url, fields)}


@pytest.fixture
def make(db, clock):
    return maker(db, clock)


@pytest.fixture
def unstored(clock):
    """Webhooks without a database: storing anything fails the test."""
    return maker(None, clock)


def maker(db, clock):
    def make(kind, path=PATH, **given):
        common = {
            "path": path, "public_url": PUBLIC, "auth_tokens": (TOKEN, NEXT_TOKEN), "line": a_line(), "db": db,
            "clock": clock, "limit": PerAddress(), "counts": Counts(),
        }  # fmt: skip
        return kind(**common | given)

    return make


def rows(db, table):
    return db.run_blocking(lambda conn: conn.execute(select(table)).all())


async def test_a_signed_text_is_answered_with_empty_twiml_after_it_was_stored(make, db):
    fields = form()
    got = await call(make(Sms), PATH, form=fields, headers=signed(fields))
    assert (got.status, got.content_type) == (200, "text/xml")
    assert got.body.endswith("<Response/>")
    (text,) = rows(db, texts)
    assert text.body == "Hi + bye 👋 ñ"


async def test_unknown_fields_are_kept(make, db):
    fields = form(Sentiment="good", FromCity="")
    await call(make(Sms), PATH, form=fields, headers=signed(fields))
    (text,) = rows(db, texts)
    assert text.fields["Sentiment"] == "good"
    assert text.fields["FromCity"] == ""


@pytest.mark.parametrize("name", sorted(form()))
async def test_a_changed_or_dropped_field_is_refused_whichever_it_is(unstored, name):
    fields = form()
    headers = signed(fields)
    changed = fields | {name: fields[name] + "x"}
    dropped = {key: value for key, value in fields.items() if key != name}
    for wrong in (changed, dropped):
        assert (await call(unstored(Sms), PATH, form=wrong, headers=headers)).status == 403


async def test_an_added_field_is_refused(unstored):
    fields = form()
    assert (await call(unstored(Sms), PATH, form=fields | {"Extra": ""}, headers=signed(fields))).status == 403


async def test_the_token_that_is_being_rotated_in_is_accepted_too(make):
    fields = form()
    got = await call(make(Sms), PATH, form=fields, headers=signed(fields, token=NEXT_TOKEN))
    assert got.status == 200


@pytest.mark.parametrize("port", ["", ":443"])
async def test_either_port_form_of_the_url_is_accepted(make, port):
    fields = form()
    got = await call(make(Sms), PATH, form=fields, headers=signed(fields, url=f"https://sms.example.test{port}{PATH}"))
    assert got.status == 200


async def test_the_query_is_signed_as_it_was_written(make):
    fields = form()
    query = "tenant=a%20b&x=%27"
    headers = signed(fields, url=f"{PUBLIC}{PATH}?{query}")
    assert (await call(make(Sms), PATH, form=fields, headers=headers, query=query)).status == 200
    assert (await call(make(Sms), PATH, form=fields, headers=headers, query="tenant=a+b&x=%27")).status == 403


async def test_a_get_carries_the_fields_in_its_query(make, db):
    query = urlencode(form())
    headers = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(f"{PUBLIC}{PATH}?{query}", {})}
    assert (await call(make(Sms), PATH, method="GET", query=query, headers=headers)).status == 200
    assert len(rows(db, texts)) == 1


async def test_what_a_proxy_says_of_host_and_scheme_changes_nothing(make):
    fields = form()
    headers = signed(fields) | {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http"}
    assert (await call(make(Sms), PATH, form=fields, headers=headers)).status == 200


async def test_a_bad_signature_names_the_checked_url_and_nothing_secret(unstored):
    with structlog.testing.capture_logs() as logs:
        got = await call(unstored(Sms), PATH, form=form(), headers={"X-Twilio-Signature": "bm90IHRoaXM="})
    assert got.status == 403
    (line,) = logs
    assert line["url"] == PUBLIC + PATH
    assert not any(secret in str(line) for secret in (TOKEN, ANA, "bm90IHRoaXM=", "bye"))


async def test_a_missing_signature_is_refused(unstored):
    assert (await call(unstored(Sms), PATH, form=form())).status == 403


async def test_an_address_that_keeps_sending_unsigned_requests_gets_429_and_signed_ones_still_pass(make):
    sms = make(Sms, limit=PerAddress(per_minute=60, burst=3))
    answers = [(await call(sms, PATH, form=form())).status for _ in range(5)]
    assert answers == [403, 403, 403, 429, 429]
    fields = form()
    assert (await call(sms, PATH, form=fields, headers=signed(fields))).status == 200


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"raw": b"{}", "headers": {"content-type": "application/json"}}, 415),
        ({"raw": b"Body=" + b"x" * 66_000}, 413),
        ({"raw": b"Body=x", "headers": {"content-length": "9999999"}}, 413),
        ({"raw": b"Body=x", "headers": {"content-length": "9" * 5000}}, 413),  # more digits than Python reads
        ({"method": "GET", "query": "Body=" + "x" * 66_000}, 414),
        ({"method": "PUT"}, 405),
        ({"method": "DELETE"}, 405),
    ],
)
async def test_only_forms_of_a_sensible_size_are_read(unstored, given, status):
    got = await call(unstored(Sms), PATH, **given)
    assert got.status == status
    assert got.content_type == "application/xml"  # text/plain would be texted to the person


async def test_a_signed_form_that_is_no_message_gets_400(unstored):
    fields = {"Hello": "there"}
    assert (await call(unstored(Sms), PATH, form=fields, headers=signed(fields))).status == 400


async def test_a_redelivered_webhook_answers_200_and_changes_nothing(make, db):
    fields = form()
    sms = make(Sms)
    answers = await asyncio.gather(*(call(sms, PATH, form=fields, headers=signed(fields)) for _ in range(5)))
    assert {got.status for got in answers} == {200}
    assert len(rows(db, texts)) == 1


async def test_a_text_that_cannot_be_stored_gets_503_so_that_twilio_calls_the_fallback(make, db):
    sms = make(Sms)
    await db.close()
    fields = form()
    assert (await call(sms, PATH, form=fields, headers=signed(fields))).status == 503


async def test_what_could_not_be_stored_or_was_wrongly_signed_is_counted_for_alerts(make, db):
    counts, path = Counts(), "/webhooks/twilio/status"
    sms, status = make(Sms, counts=counts), make(StatusCallback, path, counts=counts)
    fields, report = form(), {"MessageSid": a_sid(), "MessageStatus": "delivered"}
    await call(sms, PATH, form=fields)
    await call(sms, PATH, form=fields, headers=signed(fields, token="another"))
    await call(status, path, form=report, headers=signed(report, url=PUBLIC + path))
    await db.close()
    await call(sms, PATH, form=fields, headers=signed(fields))
    await call(status, path, form=report, headers=signed(report, url=PUBLIC + path))
    found = {name: counts.seen[name] for name in KEPT}
    assert found == {"wrongly_signed": 1, "delivery_reports": 1, "texts_not_stored": 1, "reports_not_stored": 1}


async def test_the_fallback_stores_the_text_too(make, db):
    path = "/webhooks/twilio/fallback"
    fields = form(ErrorCode="11200", ErrorUrl=PUBLIC + PATH)
    got = await call(make(Fallback, path), path, form=fields, headers=signed(fields, url=PUBLIC + path))
    assert (got.status, got.body.endswith("<Response/>")) == (200, True)
    assert len(rows(db, texts)) == 1


async def test_the_fallback_apologises_only_when_it_could_not_store(make, db):
    path = "/webhooks/twilio/fallback"
    fallback = make(Fallback, path)
    await db.close()
    fields = form()
    got = await call(fallback, path, form=fields, headers=signed(fields, url=PUBLIC + path))
    assert got.status == 200
    assert APOLOGY in got.body


async def test_a_body_with_nul_and_lone_surrogates_is_stored(make, db):
    fields = form(Body="a\x00b")
    assert (await call(make(Sms), PATH, form=fields, headers=signed(fields))).status == 200
    assert rows(db, texts)[0].body == "ab"


async def test_a_status_callback_for_an_unknown_sid_is_written_down_and_changes_nothing(make, db):
    path = "/webhooks/twilio/status"
    fields = {"MessageSid": a_sid(), "MessageStatus": "delivered", "To": ANA, "From": GYM_NUMBER}
    status = make(StatusCallback, path)
    for _ in range(2):
        got = await call(status, path, form=fields, headers=signed(fields, url=PUBLIC + path))
        assert got.status == 200
    (report,) = rows(db, delivery_reports)
    assert (report.text_id, report.status) == (None, "delivered")


async def test_a_messaging_service_that_cannot_be_one_does_not_keep_the_text_out(make, db):
    fields = form(MessagingServiceSid="MG" + "0" * 60)
    assert (await call(make(Sms), PATH, form=fields, headers=signed(fields))).status == 200
    assert rows(db, texts)[0].messaging_service_sid is None


async def test_a_nul_in_the_query_does_not_keep_a_report_out(make, db):
    path = "/webhooks/twilio/status"
    fields = {"MessageSid": a_sid(), "MessageStatus": "delivered"}
    headers = signed(fields, url=f"{PUBLIC}{path}?text=%00x")
    assert (await call(make(StatusCallback, path), path, form=fields, headers=headers, query="text=%00x")).status == 200
    assert len(rows(db, delivery_reports)) == 1


async def test_a_connection_that_ends_within_the_form_is_not_taken_for_a_stranger(unstored):
    sms, fields, sent = unstored(Sms), form(), []
    messages = [
        {"type": "http.request", "body": urlencode(fields).encode()[:100], "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "query_string": b"", "client": ("203.0.113.9", 1)}
    headers = {"content-type": "application/x-www-form-urlencoded", **signed(fields)}
    scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    with structlog.testing.capture_logs() as logs:
        await sms(scope, receive, send)
    assert (sent[0]["status"], logs) == (400, [])


async def test_what_a_careless_proxy_says_of_the_address_is_not_logged(unstored):
    with structlog.testing.capture_logs() as logs:
        await call(unstored(Sms), PATH, form=form(), client=f"{ANA}, unknown")
    assert [line["address"] for line in logs] == ["unknown"]
