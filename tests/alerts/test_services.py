"""What the services get to see: Slack, PagerDuty (Events v2) and e-mail, at doubles of theirs on this machine."""

import pytest
from apprise.plugins import pagerduty
from apprise.plugins.slack import NotifySlack

from replyline.alerts.addresses import Words, addresses_in

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts"
PAGERDUTY = "pagerduty://A1BRTD4JD0123456789ABCDEF0123456@u-token"
BEGAN = Words(title="Gym: model: wrong", body="The model is away.", kind="failure", about="replyline/Gym/model")
ENDED = Words(title="Gym: model: over", body="It is over.", kind="success", about="replyline/Gym/model")


async def tell(written, *words):
    [address] = addresses_in(written, b"secret")
    return [await address.tell(each) for each in words]


async def test_slack_gets_the_title_and_the_sentence(ends, monkeypatch):
    monkeypatch.setattr(NotifySlack, "webhook_url", f"{ends.url}/services")
    assert all(told.is_told for told in await tell(SLACK, BEGAN))
    [body] = ends.of("services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
    assert body["channel"] == "#alerts"
    assert "The model is away." in str(body)
    assert "Gym: model: wrong" in str(body)


async def test_pagerduty_makes_one_incident_of_an_alert_and_closes_it(ends, monkeypatch):
    monkeypatch.setitem(pagerduty.PAGERDUTY_API_LOOKUP, "us", f"{ends.url}/v2/enqueue")
    assert all(told.is_told for told in await tell(PAGERDUTY, BEGAN, BEGAN, ENDED))
    began, again, ended = ends.of("v2/enqueue")
    assert began["routing_key"] == "A1BRTD4JD0123456789ABCDEF0123456"
    assert (began["event_action"], began["payload"]["severity"]) == ("trigger", "critical")
    assert "The model is away." in began["payload"]["summary"]
    assert ended["event_action"] == "resolve"
    assert began["dedup_key"] == again["dedup_key"] == ended["dedup_key"]


async def test_mail_goes_to_a_mail_server(ends):
    assert all(told.is_told for told in await tell(ends.mail(), BEGAN))
    [mail] = ends.mails
    assert "Subject: Gym: model: wrong" in mail
    assert "To: ops@example.com" in mail
    assert "The model is away." in mail


@pytest.mark.parametrize(
    ("status", "why"), [(401, "it answered 401"), (500, "it answered 500"), (307, "it answered 307")]
)
async def test_what_a_service_says_no_with_is_known(ends, status, why):
    ends.status["/hook"] = status
    [told] = await tell(ends.webhook("hook"), BEGAN)
    assert (told.is_told, told.why) == (False, why)
    assert ends.got == []  # nor anywhere else it sent us


@pytest.mark.parametrize(
    "address",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#channel",
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        f"{PAGERDUTY}?region=eu",
        "mailto://user:password@example.com?to=ops@example.com",
        "mailtos://user:password@example.com?to=ops@example.com&from=us@example.com&smtp=smtp.example.com",
        "jsons://host.example.com/path",
    ],
)
def test_the_addresses_of_the_guide_can_be_used(address):
    assert len(addresses_in(address, b"secret")) == 1
