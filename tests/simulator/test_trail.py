"""What the server did with a text can be read from the rows, at every moment of its way."""

import json
from dataclasses import asdict, dataclass, field

import pytest

from replyline import ActionContext, GiveUp, Pause
from replyline.inbound.delivery_report import DeliveryReport, report
from replyline.inbound.receive import Received
from replyline.llm.errors import ModelRefused, ModelUnavailable
from replyline.llm.prompt import Answer, Usage
from replyline.outbound import queue
from replyline.outbound.say import say
from replyline.outbound.send import Send
from replyline.rules.facts import Purpose
from replyline.rules.rulebook import read_rulebook
from replyline.simulator.trail import opt_out_of, phones_of, trail
from replyline.simulator.trail_records import Tone
from replyline.twilio.client import InDoubt, Message, Refused, Throttled
from replyline.work.worker import Pool, Worker
from tests.support.agreed import agree
from tests.support.cast import ANA, BRUNO, GYM_NUMBER, a_line, a_sid
from tests.support.post import LINKS, SECRET
from tests.support.road import FixedModel, Road, calls, says


@dataclass
class Carrier:
    """Takes every text, or does what it was told to."""

    clock: object
    troubles: list = field(default_factory=list)
    sids: list = field(default_factory=list)

    async def create(self, outgoing, *, in_time):
        if self.troubles:
            raise self.troubles.pop(0)
        self.sids.append(a_sid())
        return Message(
            sid=self.sids[-1],
            status="queued",
            body=outgoing.body,
            sender=outgoing.sender,
            to=outgoing.to,
            created_at=self.clock.now(),
            direction="outbound-api",
            error_code=None,
            segments=1,
        )


class Gym(Road):
    """The road as far as Twilio, whose side is played here, and the trail of it."""

    def begin(self):
        self.twilio = Carrier(self.clock)
        return self

    async def send(self):
        send = Send(
            db=self.db,
            clock=self.clock,
            line=self.line,
            book=read_rulebook(),
            twilio=self.twilio,
            status_url="http://x/status",
            links=LINKS,
            secret=SECRET,
        )
        await Worker(self.db, self.clock, [Pool(kinds={queue.KIND: send}, at_once=5)]).work_until_idle()

    async def told(self, status, error_code=None):
        self.clock.advance(seconds=0.25)
        sid = self.twilio.sids[-1]
        each = DeliveryReport(
            sid=sid, text_id=None, status=status, error_code=error_code, fields={}, received_at=self.clock.now()
        )
        await self.db.gather(report, each)

    def trail(self, phone=ANA, limit=20):
        return self.db.run_blocking(trail, self.line.key, phone, limit)

    def moments(self):
        """Kind and title of each moment of the only exchange."""
        (exchange,) = self.trail()
        return [(moment.kind, moment.title) for moment in exchange.moments]

    def moment(self, kind):
        (exchange,) = self.trail()
        return next(moment for moment in exchange.moments if moment.kind == kind)

    def kinds(self):
        return [kind for kind, _ in self.moments()]

    def opt_out(self):
        return self.db.run_blocking(opt_out_of, self.line.key, ANA)


@pytest.fixture
def gym(db, clock, tmp_path):
    def make(*answers, **given):
        return Gym(
            db=db, clock=clock, line=a_line(**given), model=FixedModel(list(answers)), media_dir=tmp_path
        ).begin()

    return make


def with_booking(gym, booking=lambda: "Booked A1."):
    @gym.line.action
    def book(ctx: ActionContext, kind: str) -> str:
        """Book a class."""
        return booking()

    return gym


async def test_a_booking_is_told_from_the_webhook_to_the_phone(gym):
    gym = with_booking(gym(calls(("book", {"kind": "yoga"})), says("You're booked.")))
    await gym.text("Yoga tomorrow?")
    await gym.work(seconds=2)
    await gym.send()
    await gym.told("sent")
    await gym.told("delivered")
    assert gym.moments() == [
        ("webhook", "Webhook"),
        ("turn", "Turn began"),
        ("model", "Model wants book"),
        ("action", "Action book"),
        ("model", "Model answered"),
        ("queued", "Reply queued"),
        ("sending", "Judged: it may leave"),
        ("sent", "Twilio has it"),
        ("report", "Report: sent"),
        ("report", "Report: delivered"),
    ]
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone) == ("delivered", Tone.GOOD)
    assert gym.moment("action").code == 'book(kind="yoga")\n→ Booked A1.'
    assert gym.moment("queued").code == "You're booked."
    assert gym.moment("queued").note == "1 segment · GSM-7 · 14 characters · about $0.0128"


async def test_moments_tell_how_long_after_the_text_they_were(gym):
    gym = gym(says("Yes."))
    await gym.text("Are you open?")
    await gym.work(seconds=2)
    await gym.send()
    await gym.told("delivered")
    (exchange,) = gym.trail()
    assert exchange.began_at == round((gym.clock.now().timestamp() - 2.25) * 1000)
    assert [moment.after for moment in exchange.moments] == [0, 2000, 2000, 2000, 2000, None, 2250]
    assert (exchange.figures.answered_after, exchange.figures.delivered_after) == (2000, 2250)


async def test_it_can_go_out_as_json(gym):
    gym = gym(says("Yes."))
    await gym.text("Are you open?")
    await gym.work()
    (exchange,) = gym.trail()
    assert json.loads(json.dumps(asdict(exchange)))["texts"][0]["body"] == "Are you open?"


async def test_a_text_that_waits_for_more_says_until_when(gym):
    gym = gym()
    await gym.text("Hi")
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone) == ("waiting for more", Tone.BUSY)
    assert gym.moment("wait").note == "A turn answers at 1.5 s unless more comes."


async def test_a_burst_is_one_exchange(gym):
    gym = gym(says("Yes to all."))
    for body in ("Hi", "do you have yoga", "and spin?"):
        await gym.text(body)
        gym.clock.advance(seconds=0.3)
    assert [len(exchange.texts) for exchange in gym.trail()] == [3]
    await gym.work()
    (exchange,) = gym.trail()
    assert [text.body for text in exchange.texts] == ["Hi", "do you have yoga", "and spin?"]
    assert [text.body for text in exchange.replies] == ["Yes to all."]
    assert "one turn for 3 texts" in gym.moment("turn").note
    assert "do you have yoga" in exchange.moments[1].note


async def test_a_text_that_joins_a_running_turn_is_told_where_it_joined(gym):
    async def meanwhile(prompt):
        gym_.clock.advance(seconds=1)
        await gym_.text("and spin?")
        return says("Yes.")

    gym_ = gym(meanwhile, says("Yes to both."))
    await gym_.text("Do you have yoga?")
    await gym_.work()
    assert ("joined", "Another text joined the turn") in gym_.moments()
    assert gym_.replies() == ["Yes to both."]


async def test_exchanges_come_oldest_first_and_only_the_last_few(gym):
    gym = gym(says("One."), says("Two."), says("Three."))
    for body in ("1?", "2?", "3?"):
        await gym.text(body)
        await gym.work()
    assert [each.replies[0].body for each in gym.trail()] == ["One.", "Two.", "Three."]
    assert [each.replies[0].body for each in gym.trail(limit=2)] == ["Two.", "Three."]


async def test_another_phone_has_a_trail_of_its_own(gym):
    gym = gym(says("Yes."))
    await gym.text("Are you open?")
    assert gym.trail(BRUNO) == []
    await gym.text("Hello?", phone=BRUNO)
    assert [each.texts[0].body for each in gym.trail(BRUNO)] == ["Hello?"]
    assert gym.db.run_blocking(phones_of, gym.line.key, 5) in ([ANA, BRUNO], [BRUNO, ANA])


async def test_the_model_s_tokens_and_cost_are_told(gym):
    gym = gym(says("Yes."))
    await gym.text("Are you open?")
    await gym.work()
    assert gym.moment("model").note == "test-1 · 100 tokens in, 10 out · $0.000007"
    (exchange,) = gym.trail()
    assert exchange.figures.model_cost_micros == 7


async def test_a_price_that_is_not_known_is_never_shown_as_free(gym):
    unpriced = Usage(model="local", input_tokens=10, output_tokens=1, cost_micros=None)
    gym = gym(Answer(text="Yes.", calls=(), finish="stop", usage=unpriced, message="{}"))
    await gym.text("Are you open?")
    await gym.work()
    (exchange,) = gym.trail()
    assert exchange.figures.model_cost_micros is None
    assert gym.moment("model").note.endswith("price not known")


async def test_the_scripted_model_is_free(gym):
    free = Usage(model="scripted", cost_micros=0)
    gym = gym(Answer(text="Yes.", calls=(), finish="stop", usage=free, message="{}"))
    await gym.text("Are you open?")
    await gym.work()
    assert gym.moment("model").note == "scripted · free"


async def test_stop_is_heeded_and_no_model_asked(gym):
    gym = gym()
    assert await gym.text("STOP") is Received.HEEDED
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone) == ("heeded", Tone.GOOD)
    assert gym.moments() == [("webhook", "Webhook"), ("keyword", "Heard as STOP")]
    assert "Any answer comes from Twilio itself." in gym.moment("keyword").note
    assert gym.opt_out().source == "keyword"


async def test_a_text_after_stop_is_not_answered_and_says_why(gym):
    gym = gym()
    await gym.text("STOP")
    await gym.text("Hello?")
    assert [each.state for each in gym.trail()] == ["heeded", "not answered"]
    assert gym.trail()[1].moments[-1].note == "They have opted out."


async def test_start_ends_the_opt_out(gym):
    gym = gym()
    await gym.text("STOP")
    gym.clock.advance(seconds=5)
    await gym.text("START")
    assert gym.opt_out() is None
    assert "not consent to marketing" in gym.trail()[1].moments[1].note


async def test_our_own_answer_to_a_keyword_belongs_to_it(gym):
    gym = gym()
    await gym.text("Stop.")
    (exchange,) = gym.trail()
    assert [text.body for text in exchange.replies] == gym.replies()
    assert ("queued", "Confirmation queued") in gym.moments()


async def test_a_refusal_says_why(gym):
    gym = gym(says("Yes."))
    await gym.text("Are you open?")
    await gym.work()
    await gym.text("STOP")
    exchange = gym.trail()[0]
    assert exchange.moments[-1].title == "Canceled"
    assert exchange.moments[-1].note == "They opted out."


async def test_a_text_the_judge_refuses_says_which_rule(gym):
    gym = gym(countries=("FR",))
    gym.db.run_blocking(agree, gym.line.key, ANA, gym.clock.now())
    gym.db.run_blocking(
        say,
        line=gym.line.key,
        phone=ANA,
        our_address=GYM_NUMBER,
        body="We are open again!",
        purpose=Purpose.TRANSACTIONAL,
        now=gym.clock.now(),
    )
    await gym.send()
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone, exchange.texts) == ("refused", Tone.BAD, ())
    assert [moment.kind for moment in exchange.moments] == ["queued", "refused"]
    assert "US" in exchange.moments[-1].note


async def test_a_text_in_doubt_says_that_nothing_is_sent_again(gym):
    gym = gym(says("Yes."))
    gym.twilio.troubles = [InDoubt("Twilio did not answer.")]
    await gym.text("Are you open?")
    await gym.work()
    await gym.send()
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone) == ("in doubt", Tone.HELD)
    assert "nothing is sent again before that is known" in gym.moment("unknown").note


async def test_a_text_that_was_put_back_is_held_and_says_until_when(gym):
    gym = gym(says("Yes."))
    gym.twilio.troubles = [Throttled("Twilio asked us to slow down.", retry_after=7)]
    await gym.text("Are you open?")
    await gym.work()
    await gym.send()
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone) == ("held", Tone.HELD)
    assert gym.moment("held").note == "Twilio asked us to slow down (429). Next look at 17.0 s."


async def test_twilio_s_refusal_has_its_code(gym):
    gym = gym(says("Yes."))
    gym.twilio.troubles = [Refused("no", code=21614, status=400)]
    await gym.text("Are you open?")
    await gym.work()
    await gym.send()
    (exchange,) = gym.trail()
    assert exchange.tone is Tone.BAD
    assert "21614" in gym.moment("failed").note


async def test_an_undelivered_text_says_what_the_code_means(gym):
    gym = gym(says("Yes."))
    await gym.text("Are you open?")
    await gym.work()
    await gym.send()
    await gym.told("undelivered", 30003)
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone) == ("undelivered", Tone.BAD)
    assert gym.moment("report").note.startswith("30003: ")


async def test_an_action_that_fails_shows_the_operator_the_error(gym):
    def fail():
        raise RuntimeError("the diary is on fire")

    gym = with_booking(gym(calls(("book", {"kind": "yoga"})), says("Sorry, that failed.")), fail)
    await gym.text("Yoga?")
    await gym.work()
    assert gym.moment("action").tone is Tone.BAD
    assert gym.moment("action").note == "RuntimeError: the diary is on fire"


async def test_an_action_s_no_is_held_up_to_the_reader(gym):
    def give_up():
        raise GiveUp("We are full.")

    gym = with_booking(gym(calls(("book", {"kind": "yoga"})), says("We are full.")), give_up)
    await gym.text("Yoga?")
    await gym.work()
    assert gym.moment("action").tone is Tone.HELD
    assert "We are full." in gym.moment("action").code


async def test_a_turn_that_waits_for_a_person_says_how_to_decide(gym):
    def pause():
        raise Pause("May she?")

    gym = with_booking(gym(calls(("book", {"kind": "yoga"}))), pause)
    await gym.text("Yoga?")
    await gym.work()
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone) == ("a person decides", Tone.HELD)
    assert "replyline decide stp_" in gym.moment("action").note
    assert gym.moment("action").code.endswith("→ May she?")


async def test_a_turn_that_fails_says_why(gym):
    gym = gym(ModelRefused("The key is wrong."))
    await gym.text("Are you open?")
    await gym.work()
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone) == ("fallback text", Tone.BAD)
    assert gym.moment("failed").note == "The key is wrong."


async def test_a_turn_that_is_put_off_says_until_when(gym):
    gym = gym(ModelUnavailable("The model is down."))
    await gym.text("Are you open?")
    await gym.work()
    (exchange,) = gym.trail()
    assert (exchange.state, exchange.tone) == ("trying again", Tone.HELD)
    assert gym.moment("trouble").note.startswith("The model is down. Again at ")


async def test_a_draft_that_was_sent_back_is_shown_with_the_reason(gym):
    gym = gym(says("Much too long. " * 60), says("Short."), max_segments=1)
    await gym.text("Are you open?")
    await gym.work()
    assert gym.kinds() == ["webhook", "turn", "model", "check", "model", "queued"]
    assert gym.moment("model").code.startswith("Much too long.")
    assert gym.moment("check").note != ""
