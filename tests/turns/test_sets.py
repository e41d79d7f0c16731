"""Turns of many conversations begin and end together, and none takes anything from another."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update
from tests.support.cast import ANA, BRUNO, CLEO, a_line
from tests.support.road import FixedModel, Road

from replyline.db.tables import conversations, texts, turns, work
from replyline.turns.begin import Begin, begin
from replyline.turns.record import Ending, finish_turns
from replyline.turns.statements import MOST_HISTORY
from replyline.turns.states import Begun, TurnState
from replyline.work import LostLease, claim


@pytest.fixture
def gym(db, clock, tmp_path):
    return Road(db=db, clock=clock, line=a_line(), model=FixedModel([]), media_dir=tmp_path)


async def jobs_of(gym):
    """The turns that are due, claimed; by phone."""
    gym.clock.advance(seconds=10)
    jobs = await gym.db.run(claim, owner="we", kinds=["turn"], limit=10, now=gym.clock.now())
    phones = {row.id: row.phone for row in gym.rows(conversations)}
    return {phones[job.key]: job for job in jobs}


async def begun(gym, *jobs):
    return await gym.db.run(begin, [Begin(job=job, line=gym.line, now=gym.clock.now()) for job in jobs])


def ending(gym, job, turn, reply):
    return Ending(job=job, turn=turn, reply=reply, state=TurnState.DONE, outcome="answered", now=gym.clock.now())


async def test_each_conversation_of_a_set_begins_in_its_own_way(gym):
    for phone, body in [(ANA, "Hi"), (ANA, "Yoga?"), (BRUNO, "Hi"), (CLEO, "Hello")]:
        await gym.text(body, phone=phone)
    jobs = await jobs_of(gym)
    await gym.text("STOP", phone=BRUNO)
    ana, bruno, cleo = await begun(gym, jobs[ANA], jobs[BRUNO], replace(jobs[CLEO], token=1))
    assert isinstance(ana, Begun)
    assert (ana.phone, [each.body for each in ana.inputs]) == (ANA, ["Hi", "Yoga?"])
    assert bruno is None
    assert isinstance(cleo, LostLease)
    assert [row.state for row in gym.rows(turns)] == ["running"]
    assert {row.key for row in gym.rows(work)} == {jobs[ANA].key, jobs[CLEO].key} | sends(gym)


async def test_a_turn_that_a_crash_left_is_taken_up_beside_new_ones(gym):
    await gym.text("Hi", phone=ANA)
    jobs = await jobs_of(gym)
    (before,) = await begun(gym, jobs[ANA])
    await gym.text("Hello", phone=CLEO)
    jobs |= await jobs_of(gym)
    ana, cleo = await begun(gym, jobs[ANA], jobs[CLEO])
    assert (ana.id, ana.runs, [each.body for each in ana.inputs]) == (before.id, 2, ["Hi"])
    assert (cleo.runs, [each.body for each in cleo.inputs]) == (1, ["Hello"])


async def test_each_turn_knows_the_newest_of_its_own_history_and_none_that_was_never_said(gym):
    for phone, body in [(ANA, "Hi"), (CLEO, "Hello")]:
        await gym.text(body, phone=phone)
    jobs = await jobs_of(gym)
    long_ago = [f"{n}" for n in range(MOST_HISTORY + 5)]
    await gym.db.run(remember, jobs[ANA].key, long_ago, "received")
    await gym.db.run(remember, jobs[ANA].key, ["never"], "refused")
    await gym.db.run(remember, jobs[CLEO].key, ["before"], "received")
    ana, cleo = await begun(gym, jobs[ANA], jobs[CLEO])
    assert [each.body for each in ana.history] == long_ago[-MOST_HISTORY:]
    assert [each.body for each in cleo.history] == ["before"]


async def test_turns_of_a_set_end_each_with_its_own_reply(gym):
    for phone in (ANA, BRUNO, CLEO):
        await gym.text("Hi", phone=phone)
    jobs = await jobs_of(gym)
    ana, bruno, cleo = await begun(gym, jobs[ANA], jobs[BRUNO], jobs[CLEO])
    await gym.text("And another thing", phone=BRUNO)
    results = await gym.db.run(
        finish_turns,
        [
            ending(gym, jobs[ANA], ana, "Hi Ana!"),
            ending(gym, jobs[BRUNO], bruno, "Hi Bruno!"),
            ending(gym, replace(jobs[CLEO], token=1), cleo, "Hi Cleo!"),
        ],
    )
    assert results[0] is None
    assert [each.body for each in results[1].joined] == ["And another thing"]
    assert isinstance(results[2], LostLease)
    assert [gym.replies(phone) for phone in (ANA, BRUNO, CLEO)] == [["Hi Ana!"], [], []]
    assert {row.id: row.state for row in gym.rows(turns)} == {ana.id: "done", bruno.id: "running", cleo.id: "running"}
    assert [row.body for row in gym.rows(texts) if row.handled_at is not None] == ["Hi"]


async def test_a_turn_that_is_ended_twice_in_one_set_ends_as_the_first_says(gym):
    await gym.text("Hi")
    jobs = await jobs_of(gym)
    (turn,) = await begun(gym, jobs[ANA])
    first, second = await gym.db.run(
        finish_turns, [ending(gym, jobs[ANA], turn, "Hello!"), ending(gym, jobs[ANA], turn, "Sorry.")]
    )
    assert first is None
    assert isinstance(second, LostLease)
    assert gym.replies() == ["Hello!"]


def sends(gym):
    return {row.key for row in gym.rows(work) if row.kind == "send"}


def remember(conn, conversation_id, bodies, status):
    """Texts from the days before the first that is there."""
    first = conn.execute(
        select(func.min(texts.c.created_at)).where(texts.c.conversation_id == conversation_id)
    ).scalar()
    same = {"line": "gym", "conversation_id": conversation_id, "is_inbound": False, "phone": ANA, "our_address": "+1"}
    rows = []
    for n, body in enumerate(bodies):
        at = first - timedelta(days=len(bodies) - n)
        id_ = f"{conversation_id}{status}{n}"
        rows.append(same | {"id": id_, "body": body, "status": status, "status_at": at, "created_at": at})
    conn.execute(insert(texts), rows)


async def test_an_ending_that_has_to_wait_does_not_lose_what_it_owes_when_another_of_its_set_ends(gym):
    """Ana's CANCEL stopped all texts and is owed a clarification; a person takes over just as Cleo is answered."""
    for phone in (ANA, CLEO):
        await gym.text("Hi", phone=phone)
    jobs = await jobs_of(gym)
    ana, cleo = await begun(gym, jobs[ANA], jobs[CLEO])
    until = gym.clock.now() + timedelta(minutes=5)
    owed = update(conversations).where(conversations.c.phone == ANA)
    await gym.db.run(lambda conn: conn.execute(owed.values(clarifies_until=until, taken_over_by="Olga")) and None)
    endings = [ending(gym, jobs[ANA], ana, "Bye."), ending(gym, jobs[CLEO], cleo, "Hello!")]
    waits, done = await gym.db.run(finish_turns, endings)
    assert (waits.dropped, done) == ("a person answers here", None)
    assert {row.phone: row.clarifies_until for row in gym.rows(conversations)} == {ANA: until, CLEO: None}
