"""What reaches people: each alert once, in order, at each address, whatever fails meanwhile."""

import asyncio

import pytest
from sqlalchemy import select

from replyline.alerts import Level, addresses, end_alert, raise_alert, telling
from replyline.alerts.addresses import addresses_in
from replyline.alerts.raising import KIND, going_on, remind_of_raised, to_tell
from replyline.alerts.telling import Tell
from replyline.db import open_db
from replyline.db.tables import alert_tellings, work
from replyline.settings import BadSetting
from replyline.work.worker import Pool, Worker
from tests.hostile.logs import logged, taken
from tests.support.alert_ends import SECRET_PATH
from tests.support.cast import ANA

SECRET = b"secret"


class Desk:
    """A business with addresses, and a worker that tells them."""

    def __init__(self, db, clock, written):
        self.db, self.clock = db, clock
        self.tell = Tell(db=db, clock=clock, name="Gym", addresses=addresses_in(written, SECRET))

    async def begin(self, key="model", level=Level.LOOK, says="The model is away."):
        await self.db.run(raise_alert, key, level, says, now=self.clock.now())

    async def end(self, key="model"):
        await self.db.run(end_alert, key, now=self.clock.now())

    async def work(self, **later):
        self.clock.advance(**later)
        await Worker(self.db, self.clock, [Pool(kinds={KIND: self.tell}, at_once=5)]).work_until_idle()

    async def left(self):
        return await self.db.run(lambda conn: len(conn.execute(select(work.c.key)).all()))


async def test_what_began_got_worse_and_ended_is_told_once_each_and_in_order(db, clock, ends):
    desk = Desk(db, clock, ends.webhook())
    for _ in range(3):
        await desk.begin()
        await desk.work(minutes=1)
    await desk.begin(level=Level.WRONG)
    await desk.begin(level=Level.WRONG)
    await desk.work(minutes=1)
    await desk.end()
    await desk.end()
    await desk.work(minutes=1)
    assert ends.titles() == ["Gym: model: look", "Gym: model: worse", "Gym: model: over"]
    assert [body["type"] for body in ends.of()] == ["warning", "failure", "success"]
    assert ends.of()[2]["message"].startswith(
        "It is over. It went on since 2026-03-02 18:00 UTC until 2026-03-02 18:04 UTC."
    )
    assert await desk.left() == 0
    assert await db.run(going_on) == []


async def test_what_is_raised_is_told_only_when_its_transaction_commits(db, clock, ends):
    desk = Desk(db, clock, ends.webhook())

    def fails(conn):
        raise_alert(conn, "budget", Level.LOOK, "Most of it is spent.", now=clock.now())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await db.run(fails)
    await desk.work()
    assert ends.got == []


async def test_what_was_raised_and_goes_on_is_told_again_once_a_day(db, clock, ends):
    desk = Desk(db, clock, ends.webhook())
    await desk.begin()
    for _ in range(50):
        await db.run(remind_of_raised, clock.now())
        await desk.work(hours=1)
    assert ends.titles() == ["Gym: model: look", "Gym: model: goes on", "Gym: model: goes on"]


async def test_two_processes_that_raise_and_end_the_same_tell_it_once(db, database_url, clock, ends):
    desk, other = Desk(db, clock, ends.webhook()), open_db(database_url)
    now = clock.now()
    raised = [each.run(raise_alert, "model", Level.LOOK, "Away.", now=now) for each in (db, other) for _ in range(8)]
    await asyncio.gather(*raised)
    await asyncio.gather(*(each.run(end_alert, "model", now=now) for each in (db, other)))
    await other.close()
    await desk.work()
    assert ends.titles() == ["Gym: model: look", "Gym: model: over"]


async def test_two_processes_that_tell_do_not_tell_the_same(db, database_url, clock, ends):
    one = Desk(db, clock, f"{ends.webhook('one')},{ends.webhook('two')}")
    other = Desk(open_db(database_url), clock, f"{ends.webhook('one')},{ends.webhook('two')}")
    for key in ("model", "budget", "twilio"):
        await one.begin(key)
    await asyncio.gather(one.work(), other.work())
    await other.db.close()
    assert sorted(ends.titles("one")) == sorted(ends.titles("two"))
    assert len(ends.got) == 6


async def test_an_address_that_fails_is_told_later_and_the_others_are_not_told_again(db, clock, ends):
    desk = Desk(db, clock, f"{ends.webhook('good')}, {ends.webhook('bad')}")
    ends.status["/bad"] = 500
    await desk.begin()
    await desk.work()
    await desk.end()
    for _ in range(5):
        await desk.work(minutes=10)
    assert ends.titles("good") == ["Gym: model: look", "Gym: model: over"]
    assert ends.titles("bad") == []
    del ends.status["/bad"]
    await desk.work(minutes=10)
    assert ends.titles("bad") == ["Gym: model: look", "Gym: model: over"]
    assert len(ends.titles("good")) == 2
    assert await desk.left() == 0


async def test_an_end_does_not_overtake_its_beginning(db, clock, ends):
    desk = Desk(db, clock, ends.webhook())
    ends.once[f"/{SECRET_PATH}"] = 500
    await desk.begin()
    await desk.end()
    await desk.work()
    assert ends.titles() == []
    await desk.work(minutes=1)
    assert ends.titles() == ["Gym: model: look", "Gym: model: over"]


async def test_a_worker_that_died_after_telling_some_does_not_tell_them_again(db, clock, ends):
    desk = Desk(db, clock, f"{ends.webhook('first')},{ends.webhook('second')}")
    await desk.begin()
    row = (await db.run(to_tell, "model"))[0]
    first = desk.tell._addresses[0]
    await first.tell(telling.words_of(row, "Gym"))
    await db.run(telling.note_told, row.id, first.mark)  # and here it died
    await desk.work()
    assert (len(ends.of("first")), len(ends.of("second"))) == (1, 1)


async def test_what_cannot_be_told_for_a_day_is_given_up_loudly(db, clock, ends):
    desk = Desk(db, clock, ends.webhook())
    ends.status[f"/{SECRET_PATH}"] = 404
    await desk.begin()
    with logged() as stream:
        for _ in range(26):
            await desk.work(hours=1)
        said = taken(stream)
    assert "alert_given_up" in said
    assert "it answered 404" in said
    assert await desk.left() == 0


async def test_without_an_address_what_goes_on_is_known_all_the_same(db, clock):
    desk = Desk(db, clock, "")
    await desk.begin()
    await desk.work()
    assert [alert.key for alert in await db.run(going_on)] == ["model"]
    assert await desk.left() == 0


async def test_a_phone_number_in_a_sentence_does_not_leave(db, clock, ends):
    desk = Desk(db, clock, ends.webhook())
    await desk.begin(says=f"A text to {ANA} failed.")
    await desk.work()
    assert ANA not in str(ends.got)
    assert "A text to +1212***0101 failed." in str(ends.got)
    rows = await db.run(lambda conn: conn.execute(select(alert_tellings.c.says)).scalars().all())
    assert ANA not in str(rows)


async def test_an_address_is_never_logged_nor_kept(db, clock, ends):
    desk = Desk(db, clock, f"{ends.webhook()},json://127.0.0.1:9/{SECRET_PATH}?pass={SECRET_PATH}")
    ends.status[f"/{SECRET_PATH}"] = 403
    with logged() as stream:
        await desk.begin()
        await desk.work()
        said = taken(stream)
    assert "alert_not_told" in said
    assert "it could not be reached" in said
    assert SECRET_PATH not in said
    assert "127.0.0.1" not in said
    rows = await db.run(lambda conn: [tuple(row) for row in conn.execute(select(alert_tellings))])
    assert SECRET_PATH not in str(rows)


async def test_a_service_that_never_answers_keeps_nobody_waiting_for_long(db, clock, ends, monkeypatch):
    monkeypatch.setattr(addresses, "PATIENCE", 0.3)
    desk = Desk(db, clock, f"{ends.webhook('hangs')},{ends.webhook('good')}")
    ends.status["/hangs"] = 0
    await desk.begin()
    await desk.work()
    assert ends.titles("good") == ["Gym: model: look"]
    assert await desk.left() == 1


@pytest.mark.parametrize(
    "written",
    ["slack://", "tgram://S3CRET/1", "nonsense", "wrong://abc/def", "json://127.0.0.1/ok, nowhere://x"],
)
def test_an_address_that_cannot_be_used_stops_the_start_and_is_not_shown(written):
    with logged() as stream, pytest.raises(BadSetting) as caught:
        addresses_in(written, SECRET)
    assert taken(stream) == ""
    assert str(caught.value).startswith("REPLYLINE_ALERTS is not usable: address ")
    assert "abc" not in str(caught.value)


def test_addresses_are_told_apart_by_commas_that_a_scheme_follows():
    written = "json://127.0.0.1/a?to=x,y , json://127.0.0.1/b\njson://127.0.0.1/c"
    assert [each.name for each in addresses_in(written, SECRET)] == ["1. json", "2. json", "3. json"]
