"""What our list of opt-outs says is told to Twilio's, where the line wants it; ours stays the authority."""

from datetime import timedelta

import pytest
import structlog
from sqlalchemy import func, select

from replyline.db.tables import consent_pushes, consent_syncs, opt_outs, work
from replyline.doctor import Level, examine
from replyline.inbound.receive import receive
from replyline.outbound import consent_at_twilio, consent_rows
from replyline.outbound.consent_at_twilio import BETWEEN, KIND, TellConsent, senders_of
from replyline.outbound.consent_rows import CONFIRMED_WITHIN
from replyline.people.erase import erase
from replyline.people.lists import read_list
from replyline.people.stop import stop_texting
from replyline.plugins.programs import Tier
from replyline.plugins.senders import Sender
from replyline.rules import consent
from replyline.rules.consent import OptIn, Whose
from replyline.rules.facts import Purpose, Scope
from replyline.simulator import BROKEN, DROPPED_AFTER_ACCEPTING, THROTTLED, Fault
from replyline.twilio.client import ConsentAnswer
from replyline.work.worker import Pool, Worker
from tests.support.cast import ANA, BRUNO, GYM_NUMBER, an_arrival
from tests.support.post import SECRET

MINUTES = CONFIRMED_WITHIN.total_seconds()
BULK = "/v1/Consents/Bulk"


class Registry:
    """A line that tells Twilio, and what it told."""

    def __init__(self, post, senders=(GYM_NUMBER,)):
        self.post, self.db, self.clock, self.twilio, self.senders = post, post.db, post.clock, post.twilio, senders
        self.asked = []
        self.twilio.faults.of_requests.append(self.watch)

    def watch(self, request):
        if request.path == BULK:
            self.asked.append(self.clock.now())

    def begin(self):
        self.db.run_blocking(consent_at_twilio.begin, self.post.line, self.clock.now())

    def text(self, body, phone=ANA):
        arrival = an_arrival(body, phone=phone, line=self.post.line, at=self.clock.now(), secret=SECRET)
        self.db.run_blocking(receive, [arrival])
        self.clock.advance(seconds=1)

    def opt_out(self, phone=ANA, **given):
        whose = Whose(line="gym", phone=phone)
        self.db.run_blocking(consent.opt_out, whose, now=self.clock.now(), **{"source": "person"} | given)

    async def work(self, seconds=MINUTES):
        """After that time, which is that of a confirmation unless something else is said."""
        self.clock.advance(seconds=seconds)
        tell = TellConsent(self.db, self.clock, self.post.line, self.post.client, self.senders)
        with structlog.testing.capture_logs() as logs:
            await Worker(self.db, self.clock, [Pool(kinds={KIND: tell}, at_once=1)]).work_until_idle()
        assert ANA not in str(logs)
        return [entry["event"] for entry in logs]

    def is_blocked(self, phone=ANA, number=GYM_NUMBER):
        return self.twilio.has_opted_out(phone, number)

    def left(self):
        return self.db.run_blocking(lambda conn: conn.execute(select(func.count(consent_pushes.c.line))).scalar_one())

    def armed(self):
        return [row.key for row in self.post.rows(work) if row.kind == KIND]


@pytest.fixture
def registry(make_post):
    registry = Registry(make_post(consent_at_twilio=True))
    registry.begin()
    return registry


@pytest.mark.parametrize("way", ["free words", "by a person", "by a list"])
async def test_an_opt_out_that_twilio_did_not_hear_is_told_to_it(registry, way):
    match way:
        case "free words":
            registry.text("please quit texting me")
        case "by a person":
            given = {"scope": "all", "by": "sam", "how": "by phone", "now": registry.clock.now()}
            registry.db.run_blocking(stop_texting, "gym", ANA, **given)
        case _:
            listed = [{"phone": ANA, "event": "opt_out"}]
            registry.db.run_blocking(read_list, "gym", listed, by="sam", now=registry.clock.now())
    assert not registry.is_blocked()
    await registry.work()
    assert registry.is_blocked()
    assert registry.left() == 0


async def test_an_opt_out_by_text_is_told_when_its_confirmation_has_left_and_others_at_once(registry):
    registry.text("please quit texting me")
    registry.opt_out(BRUNO)
    await registry.work(seconds=0)
    assert (registry.is_blocked(ANA), registry.is_blocked(BRUNO)) == (False, True)
    await registry.post.work()
    assert registry.post.screen() == [
        "Gym: you are unsubscribed and will get no more texts. Reply START to resubscribe."
    ]
    await registry.work()
    assert registry.is_blocked(ANA)


async def test_their_start_is_told_too(registry):
    registry.text("please quit texting me")
    await registry.work()
    registry.text("START")
    await registry.work(seconds=1)
    assert not registry.is_blocked()


async def test_of_two_changes_that_wait_only_the_last_is_told(registry):
    registry.text("please quit texting me")
    registry.text("START")
    registry.text("please quit texting me")
    await registry.work()
    assert (registry.is_blocked(), len(registry.asked)) == (True, 1)


async def test_a_change_takes_the_place_of_an_older_one_that_twilio_could_not_be_told(registry):
    registry.twilio.faults.on_requests(BROKEN, path=BULK)
    for _ in range(3):
        registry.opt_out()
        await registry.work()
    assert registry.left() == 1


@pytest.mark.parametrize(
    ("given", "is_told"),
    [
        ({"source": "keyword"}, True),
        ({"source": "web_form", "is_confirmed": True}, True),
        ({"source": "web_form"}, False),
        ({"source": "person"}, False),
        ({"source": "import"}, False),
    ],
)
async def test_only_an_opt_in_from_their_own_phone_undoes_a_stop_that_twilio_alone_has_heard(registry, given, is_told):
    registry.twilio.opt_out(ANA, GYM_NUMBER)
    agreed = OptIn(purpose=Purpose.MARKETING, tier=Tier.EXPRESS_WRITTEN, **given)
    registry.db.run_blocking(consent.opt_in, Whose(line="gym", phone=ANA), agreed, now=registry.clock.now())
    await registry.work()
    assert registry.is_blocked() is not is_told


async def test_an_opt_out_of_advertising_alone_is_not_told_because_twilio_would_block_everything(registry):
    registry.opt_out(scope=Scope.MARKETING)
    await registry.work()
    assert (registry.is_blocked(), registry.left()) == (False, 0)
    registry.opt_out(scope=Scope.TRANSACTIONAL)  # which makes it all
    await registry.work(seconds=1)
    assert registry.is_blocked()


async def test_older_opt_outs_are_told_when_it_is_switched_on_and_older_opt_ins_are_not(make_post):
    registry = Registry(make_post(consent_at_twilio=True))
    registry.opt_out(ANA)
    registry.opt_out(BRUNO)
    registry.text("START", phone=BRUNO)
    registry.twilio.opt_out(BRUNO, GYM_NUMBER)
    assert registry.armed() == []
    registry.begin()
    await registry.work()
    assert (registry.is_blocked(ANA), registry.is_blocked(BRUNO)) == (True, True)


async def test_a_line_that_does_not_want_it_tells_nothing(make_post):
    registry = Registry(make_post())
    registry.begin()
    registry.opt_out()
    await registry.work()
    assert (registry.asked, registry.armed(), registry.left()) == ([], [], 0)


async def test_a_line_that_wants_it_no_longer_stops_with_what_was_still_to_be_told(registry, make_post):
    registry.twilio.faults.on_requests(BROKEN, path=BULK)
    registry.opt_out()
    await registry.work()
    assert registry.left() == 1
    registry.post = make_post()
    registry.begin()
    registry.twilio.faults.clear()
    await registry.work(seconds=60)
    assert (registry.is_blocked(), registry.left(), registry.armed(), registry.post.rows(consent_syncs)) == (
        (False, 0, [], [])
    )


async def test_all_senders_of_a_line_are_told(make_post):
    registry = Registry(make_post(consent_at_twilio=True), senders=("+14155550199", GYM_NUMBER))
    registry.twilio.add_number("+14155550199")
    registry.begin()
    registry.opt_out()
    await registry.work()
    assert registry.is_blocked(number=GYM_NUMBER)
    assert registry.is_blocked(number="+14155550199")


def test_the_senders_are_those_that_have_a_list_at_twilio(post):
    service = "MG" + "1" * 32
    post.line.senders = (Sender("+14155550199"), Sender("ACME", countries=["GB"]), Sender(service))
    assert senders_of(post.line, GYM_NUMBER, None) == ["+14155550199", service, GYM_NUMBER]
    assert senders_of(post.line, GYM_NUMBER, service) == ["+14155550199", service]


async def test_no_request_has_more_than_25_and_no_minute_more_than_100(registry):
    listed = [{"phone": f"+1212556{n:04}", "event": "opt_out"} for n in range(260)]
    registry.db.run_blocking(read_list, "gym", listed, by="sam", now=registry.clock.now())
    for _ in range(11):
        await registry.work(seconds=BETWEEN.total_seconds())
    assert len(registry.asked) == 11
    assert registry.left() == 0
    gaps = [later - sooner for sooner, later in zip(registry.asked, registry.asked[1:], strict=False)]
    assert min(gaps) >= timedelta(minutes=1) / 100
    assert all(registry.is_blocked(row["phone"]) for row in listed)


async def test_news_that_come_one_by_one_do_not_make_it_ask_sooner(registry):
    registry.opt_out(ANA)
    await registry.work(seconds=0)
    registry.opt_out(BRUNO)
    await registry.work(seconds=0.1)
    assert len(registry.asked) == 1
    await registry.work(seconds=0.5)
    assert len(registry.asked) == 2


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN, DROPPED_AFTER_ACCEPTING, Fault.refused(20003)])
async def test_a_twilio_in_trouble_is_told_later_with_the_same_correlation_ids(registry, fault, monkeypatch):
    registry.text("please quit texting me")
    told = []
    monkeypatch.setattr(consent_rows, "item_of", noting(told))
    registry.twilio.faults.on_requests(fault, path=BULK, times=2)
    assert await registry.work() == ["consents_not_told"]
    assert registry.left() == 1
    for _ in range(3):
        await registry.work(seconds=3700)
    assert registry.is_blocked()
    assert registry.left() == 0
    assert (len(told), len(set(told))) == (3, 1)
    assert len(told[0]) == 32


def noting(told):
    item_of = consent_rows.item_of

    def noted(row):
        item = item_of(row)
        told.append(item.correlation_id)
        return item

    return noted


async def test_what_twilio_refuses_is_shown_and_our_own_list_holds(make_post):
    registry = Registry(make_post(consent_at_twilio=True), senders=("+14155550177",))  # not a number of the account
    registry.begin()
    registry.text("please quit texting me")
    assert await registry.work() == ["consent_refused_by_twilio"]
    await registry.work(seconds=10_000)
    assert len(registry.asked) == 1
    assert [row.phone for row in registry.post.rows(opt_outs)] == [ANA]
    (finding,) = [each for each in registry.db.run_blocking(examine, registry.clock.now()) if each.about == "consent"]
    assert (finding.level, "30646: INVALID_SENDER_ID" in finding.says) == (Level.LOOK, True)
    assert ANA not in finding.says


async def test_what_twilio_could_not_take_for_its_own_reasons_is_told_again(registry, monkeypatch):
    registry.text("please quit texting me")
    tell, answers = registry.post.client.tell_consents, ["INTERNAL_SERVER_ERROR", None]

    async def troubled(items):
        said = await tell(items)
        if not answers:
            return said
        trouble = answers.pop(0)
        return [consent_answer(said[0].correlation_id, trouble)] if trouble else []

    monkeypatch.setattr(registry.post.client, "tell_consents", troubled)
    for _ in range(3):
        assert await registry.work() == []
    assert (registry.left(), len(registry.asked)) == (0, 3)


def consent_answer(correlation_id, message):
    return ConsentAnswer(correlation_id=correlation_id, error_code=30646, error_messages=[message])


async def test_who_is_forgotten_is_not_named_to_twilio_any_more(registry):
    registry.text("please quit texting me")
    gone = {"secret": SECRET, "by": "sam", "now": registry.clock.now()}
    registry.db.run_blocking(erase, Whose(line="gym", phone=ANA), **gone)
    await registry.work()
    assert (registry.asked, registry.left()) == ([], 0)


async def test_a_text_to_who_is_blocked_at_twilio_this_way_is_refused_with_21610(registry):
    registry.text("please quit texting me")
    await registry.work()
    registry.db.run_blocking(consent.reopen, Whose(line="gym", phone=ANA), now=registry.clock.now())
    text_id = registry.post.say()
    await registry.post.work()
    assert (registry.post.row(text_id).status, registry.post.row(text_id).error_code) == ("failed", 21610)


async def test_a_process_that_dies_after_the_request_tells_it_again(registry, monkeypatch):
    registry.text("please quit texting me")

    def dies(*args):
        raise RuntimeError("The process ends here.")

    monkeypatch.setattr(consent_at_twilio, "take_answers", dies)
    assert await registry.work() == ["work_failed"]
    monkeypatch.undo()
    await registry.work(seconds=60)
    assert (registry.left(), registry.is_blocked(), len(registry.asked)) == (0, True, 2)
