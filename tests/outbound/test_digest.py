"""Several notices for one person leave as one text, where that saves segments."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.conversations.segments import LONGEST_BODY, measure
from replyline.inbound.receive import receive
from replyline.outbound.digest import digest
from replyline.plugins.line import BadLine
from replyline.rules.facts import Purpose
from tests.support.cast import ANA, CLEO, a_line, an_arrival
from tests.support.post import REPLY


@pytest.fixture
def post(make_post):
    return make_post(digest_minutes=10)


def sent(post):
    return [message.body for message in post.twilio.messages]


async def test_notices_of_the_same_minutes_arrive_as_one_text_in_their_order(post):
    first = post.say("Yoga moved to 7.")
    await post.work()
    assert (sent(post), post.row(first).why) == ([], "it waits for other notices to go with it")
    post.clock.advance(minutes=4)
    second = post.say("Bring a mat.")
    await post.work()
    await post.work(seconds=6 * 60)
    assert sent(post) == ["Yoga moved to 7.\nBring a mat."]
    assert (post.status(second), post.row(second).why) == ("canceled", f"its words went out in {first}")
    assert (post.row(first).body, post.row(first).segments) == ("Yoga moved to 7.\nBring a mat.", 1)
    await post.work(seconds=3600)
    assert len(sent(post)) == 1


async def test_notices_that_fall_due_together_are_put_together_whichever_is_first(post):
    ids = [post.say(f"Notice {n}.") for n in range(5)]
    await post.work(seconds=601)
    assert sent(post) == ["Notice 0.\nNotice 1.\nNotice 2.\nNotice 3.\nNotice 4."]
    assert sorted(post.status(each) for each in ids) == ["canceled"] * 4 + ["sent"]


async def test_what_would_save_nothing_leaves_by_itself(post):
    post.say("x" * 160)
    post.say("y" * 160)
    await post.work(seconds=601)
    assert sorted(sent(post)) == ["x" * 160, "y" * 160]


async def test_other_people_other_programs_replies_and_advertising_are_not_mixed_in(post):
    post.say("For Ana.")
    post.say("For Cleo.", to=CLEO)
    post.say("An answer.", purpose=REPLY)
    await post.work()
    assert sent(post) == ["An answer."]
    await post.work(seconds=601)
    assert sorted(sent(post)) == ["An answer.", "For Ana.", "For Cleo."]


async def test_a_notice_that_would_expire_meanwhile_leaves_at_once(post):
    post.say("Now!", expires_at=post.clock.now() + timedelta(minutes=5))
    await post.work()
    assert sent(post) == ["Now!"]


async def test_a_line_that_wants_none_sends_each_at_once(make_post):
    post = make_post()
    post.say("One.")
    post.say("Two.")
    await post.work()
    assert sorted(sent(post)) == ["One.", "Two."]


async def test_a_stop_before_the_window_ends_stops_all_of_them(post):
    ids = [post.say("One."), post.say("Two.")]
    await post.work()
    post.db.run_blocking(receive, [an_arrival("STOP", line=post.line, phone=ANA, at=post.clock.now())])
    await post.work(seconds=601)
    assert sent(post) == []
    assert {post.status(each) for each in ids} == {"canceled"}


def test_a_window_longer_than_a_day_is_refused():
    with pytest.raises(BadLine, match="digest_minutes"):
        a_line(digest_minutes=1441)


class Row:
    """A text's row, as far as a digest reads it."""

    def __init__(self, n, body):
        self.id, self.created_at, self.body, self.purpose = f"txt_{n}", n, body, Purpose.TRANSACTIONAL


@given(st.lists(st.text(min_size=1, max_size=400), min_size=1, max_size=6))
def test_a_digest_always_saves_says_everything_it_took_and_fits(bodies):
    rows = [Row(n, body) for n, body in enumerate(bodies)]
    made = digest(rows[0], rows)
    apart = measure(rows[0].body).segments + sum(measure(each.body).segments for each in made.others)
    assert len(made.body) <= LONGEST_BODY
    assert measure(made.body).segments <= apart - len(made.others)
    assert made.body == "\n".join(each.body for each in [rows[0], *made.others])
