"""What a line keeps no longer goes by itself, a little at a time, and what has to stay does."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from replyline import Keeps
from replyline.conversations.media_store import FolderStore, NotKept, in_chunks, read_all
from replyline.conversations.text import Picture
from replyline.db.tables import (
    audit_events,
    consent_events,
    decisions,
    delivery_reports,
    media,
    opt_outs,
    retention_passes,
    steps,
    suppressions,
    texts,
    turns,
    work,
)
from replyline.inbound.receive import receive
from replyline.outbound.say import say
from replyline.people import files, retention
from replyline.people.files import DeleteFiles
from replyline.people.retention import EVERY, Retention, foresee
from replyline.plugins.line import BadLine
from replyline.plugins.programs import Tier
from replyline.rules import consent
from replyline.rules.consent import OptIn, Whose
from replyline.rules.facts import Purpose
from replyline.rules.ledger import verify
from replyline.rules.person import person_of
from replyline.work.worker import Pool, Worker
from tests.support.cast import ANA, BRUNO, CLEO, GYM_NUMBER, a_line, an_arrival
from tests.support.post import SECRET

YEAR = timedelta(days=365)
ANAS = Whose(line="gym", phone=ANA)
WRITTEN = OptIn(purpose=Purpose.MARKETING, tier=Tier.EXPRESS_WRITTEN, source="web_form", proof={"ip": "203.0.113.7"})


class Archive:
    """A line that keeps what it is told to, and its daily look."""

    def __init__(self, db, clock, folder):
        self.db, self.clock, self.store = db, clock, FolderStore(folder)
        self.line = a_line()

    def keep(self, **days):
        self.line = a_line(keeps=Keeps(**days))
        self.db.run_blocking(retention.begin, self.line, self.clock.now())

    def text(self, body, *, phone=ANA, is_answered=True, **given):
        self.db.run_blocking(receive, [an_arrival(body, phone=phone, at=self.clock.now(), **given)])
        if is_answered:
            self.set(texts, handled_at=self.clock.now())

    def say(self, body, *, status="delivered", phone=ANA):
        queued = {"line": "gym", "phone": phone, "our_address": GYM_NUMBER, "now": self.clock.now()}
        text_id = self.db.run_blocking(say, body=body, purpose=Purpose.TRANSACTIONAL, **queued)
        self.set(texts, texts.c.id == text_id, status=status)
        return text_id

    def think(self, state="done"):
        """An answer is worked out in Ana's conversation."""
        (conversation,) = {row.conversation_id for row in self.rows(texts) if row.phone == ANA}
        at = self.clock.now()
        turn = {
            "id": "trn_1",
            "line": "gym",
            "conversation_id": conversation,
            "state": state,
            "record": {"name": "Ana"},
        }
        step = {"id": "stp_1", "turn_id": "trn_1", "position": 0, "kind": "model", "key": "m", "name": "m"}
        self.add(turns, **turn, created_at=at, deadline_at=at)
        self.add(steps, **step, state="ended", input="knee?", output="knee!", started_at=at, cost_micros=7)

    def add(self, table, **values):
        self.db.run_blocking(lambda conn: conn.execute(insert(table).values(values)))

    def set(self, table, *where, **values):
        self.db.run_blocking(lambda conn: conn.execute(update(table).where(*where).values(values)))

    async def look(self, after=timedelta(minutes=1), rounds=1000):
        self.clock.advance(seconds=after.total_seconds())
        kinds = {
            retention.KIND: Retention(self.db, self.clock, self.line, secret=SECRET),
            files.KIND: DeleteFiles(self.db, self.clock, self.store),
        }
        await Worker(self.db, self.clock, [Pool(kinds=kinds, at_once=1)]).work_until_idle(rounds)

    def rows(self, table):
        return self.db.run_blocking(lambda conn: conn.execute(select(table)).all())

    def bodies(self):
        return sorted(row.body for row in self.rows(texts))

    def audits(self):
        found = sorted((row for row in self.rows(audit_events) if row.kind == "retention"), key=lambda row: row.at)
        return [{name: count for name, count in row.details.items() if count} for row in found]

    def foreseen(self):
        return {name: n for name, n in foresee(self.db, self.line, self.clock.now()).items() if n}

    def verified(self):
        return self.db.run_blocking(verify, "gym")


@pytest.fixture
def archive(db, clock, tmp_path):
    return Archive(db, clock, tmp_path / "media")


async def test_a_line_that_says_nothing_keeps_everything(archive):
    archive.text("Hi")
    archive.keep()
    assert archive.rows(work) == [row for row in archive.rows(work) if row.kind != retention.KIND]
    await archive.look(20 * YEAR)
    assert archive.bodies() == ["Hi"]


async def test_words_go_when_they_are_too_old_and_younger_ones_stay(archive):
    archive.text("Old")
    archive.say("Old answer")
    archive.clock.advance(days=60)
    archive.text("New")
    archive.keep(words=90)
    await archive.look(timedelta(days=31))
    assert archive.bodies() == ["", "", "New"]
    assert [row.fields for row in archive.rows(texts) if row.body == ""] == [None, None]
    assert archive.audits() == [{"words": 2}]


async def test_what_is_gone_is_not_counted_again_the_next_day(archive):
    archive.text("Old")
    archive.keep(words=30)
    await archive.look(timedelta(days=31))
    await archive.look(EVERY)
    assert archive.audits() == [{"words": 1}, {}]


async def test_it_looks_once_a_day_however_often_the_server_starts(archive):
    archive.text("Old")
    archive.keep(words=30)
    await archive.look(timedelta(days=31))
    for _ in range(5):
        archive.keep(words=30)
        await archive.look(timedelta(hours=1))
    assert len(archive.audits()) == 1
    await archive.look(EVERY)
    assert len(archive.audits()) == 2


@pytest.mark.parametrize("status", ["queued", "sending", "unknown"])
async def test_a_conversation_with_a_text_that_is_not_final_is_not_touched(archive, status):
    archive.text("Old")
    archive.text("Old too", phone=BRUNO)
    archive.say("On its way", status=status)
    archive.keep(words=30, pictures=30, answers=30, decisions=30, reports=30)
    await archive.look(timedelta(days=31))
    assert archive.bodies() == ["", "Old", "On its way"]


async def test_a_conversation_that_somebody_waits_in_is_not_touched(archive):
    archive.text("Old")
    archive.think(state="waiting")
    archive.text("And?", phone=BRUNO, is_answered=False)
    archive.keep(words=30, answers=30)
    await archive.look(timedelta(days=31))
    assert archive.bodies() == ["And?", "Old"]
    archive.set(turns, state="done")
    archive.set(texts, handled_at=archive.clock.now())
    await archive.look(EVERY)
    assert archive.bodies() == ["", ""]


async def test_the_files_of_pictures_go_with_them(archive):
    archive.text("Look!", pictures=(Picture(url="https://api.twilio.com/Media/ME1", content_type="image/png"),))
    await archive.store.put("ab/med_1", in_chunks(b"PNG"))
    archive.set(media, state="kept", path="ab/med_1")
    archive.keep(pictures=30)
    await archive.look(timedelta(days=31))
    await archive.look(timedelta(0))
    (picture,) = archive.rows(media)
    assert (picture.path, picture.url, archive.bodies()) == (None, "", ["Look!"])
    with pytest.raises(NotKept):
        await read_all(archive.store, "ab/med_1")
    assert archive.audits() == [{"pictures": 1}]


async def test_how_an_answer_was_worked_out_goes_and_what_it_cost_stays(archive):
    archive.text("Hi")
    archive.think()
    archive.keep(answers=30)
    await archive.look(timedelta(days=31))
    (step,), (turn,) = archive.rows(steps), archive.rows(turns)
    assert (step.input, step.output, step.cost_micros, turn.record) == (None, None, 7, None)
    assert archive.bodies() == ["Hi"]


async def test_decisions_and_the_fields_of_reports_go_when_they_are_too_old(archive):
    archive.text("Hi")
    text_id, at = archive.say("Hello"), archive.clock.now()
    said = {"verdict": "send", "rules_version": "1", "facts": {}, "said": []}
    archive.add(decisions, id="dec_1", text_id=text_id, line="gym", at=at, **said)
    for n, about in enumerate([text_id, None]):
        sent = {"id": f"rep_{n}", "sid": f"SM{n}", "text_id": about, "status": "sent"}
        archive.add(delivery_reports, **sent, fields={"To": ANA}, received_at=at)
    archive.keep(decisions=30, reports=30)
    await archive.look(timedelta(days=31))
    assert archive.rows(decisions) == []
    assert [row.fields for row in archive.rows(delivery_reports)] == [{}]
    assert archive.audits() == [{"decisions": 1, "reports": 2}]


async def test_what_would_go_is_foreseen_and_nothing_of_it_goes_yet(archive):
    archive.text("Old")
    archive.think()
    archive.say("Old too")
    archive.db.run_blocking(consent.opt_out, ANAS, now=archive.clock.now(), source="keyword", word="STOP")
    archive.keep(words=30, answers=30, consent_proof=1827, opt_outs=3653)
    assert archive.foreseen() == {}
    archive.clock.advance(days=3654)
    foreseen = archive.foreseen()
    assert foreseen == {"words": 2, "answers": 1, "opt_outs": 1}
    assert archive.bodies() == ["Old", "Old too"]
    await archive.look()
    assert archive.audits() == [foreseen]
    assert archive.foreseen() == {}


async def test_many_go_a_little_at_a_time_and_none_is_left(archive, monkeypatch):
    monkeypatch.setattr(retention, "ROWS", 3)
    monkeypatch.setattr(retention, "CONVERSATIONS", 2)
    monkeypatch.setattr(retention, "STEPS", 2)
    for n in range(6):
        for _ in range(n + 1):
            archive.text("Old", phone=f"+1212555020{n}")
    archive.keep(words=30)
    await archive.look(timedelta(days=31))
    assert set(archive.bodies()) == {""}
    assert archive.audits() == [{"words": 21}]
    assert archive.rows(retention_passes) == []


async def test_a_process_that_dies_in_the_middle_goes_on_where_it_was_and_counts_right(archive, monkeypatch):
    monkeypatch.setattr(retention, "ROWS", 2)
    monkeypatch.setattr(retention, "CONVERSATIONS", 1)
    for n in range(4):
        archive.text("Old", phone=f"+1212555020{n}")
    archive.keep(words=30)
    step, done = retention.step, []

    def dies(*args, **given):
        if len(done) == 2:
            raise RuntimeError("The process ends here.")
        done.append(1)
        return step(*args, **given)

    monkeypatch.setattr(retention, "step", dies)
    await archive.look(timedelta(days=31))
    assert sorted(archive.bodies()) == ["", "", "Old", "Old"]
    monkeypatch.setattr(retention, "step", step)
    await archive.look(timedelta(minutes=1))
    assert (set(archive.bodies()), archive.audits()) == ({""}, [{"words": 4}])


async def test_proof_of_consent_outlives_the_consent_by_what_the_line_says(archive):
    archive.db.run_blocking(consent.opt_in, ANAS, WRITTEN, now=archive.clock.now())
    archive.keep(consent_proof=1827)
    await archive.look(20 * YEAR)
    assert [row.phone for row in archive.rows(consent_events)] == [ANA]  # it is still in force
    archive.db.run_blocking(consent.opt_out, ANAS, now=archive.clock.now(), source="keyword", word="STOP")
    await archive.look(timedelta(days=1825))
    assert [row.phone for row in archive.rows(consent_events)] == [ANA, ANA]
    await archive.look(timedelta(days=3))
    given, taken_back = sorted(archive.rows(consent_events), key=lambda row: row.position)
    assert (given.phone, given.proof, given.person) == (None, None, person_of(ANA, SECRET))
    assert (taken_back.phone, taken_back.word) == (ANA, "STOP")
    assert len(archive.rows(opt_outs)) == 1
    assert (archive.verified().wrong, archive.verified().erased) == ((), 1)


async def test_an_opt_out_still_counts_when_the_number_is_gone_after_ten_years(archive):
    archive.db.run_blocking(receive, [an_arrival("STOP", at=archive.clock.now(), secret=SECRET)])
    archive.text("Hi", phone=CLEO)
    archive.keep(opt_outs=3653)
    await archive.look(timedelta(days=3652))
    assert [row.phone for row in archive.rows(opt_outs)] == [ANA]
    await archive.look(timedelta(days=2))
    assert archive.rows(opt_outs) == []
    assert [(row.person, row.scope) for row in archive.rows(suppressions)] == [(person_of(ANA, SECRET), "all")]
    assert archive.verified().wrong == ()
    assert {row.phone for row in archive.rows(consent_events)} == {None}


async def test_a_newer_event_keeps_the_older_ones(archive):
    archive.db.run_blocking(consent.opt_out, ANAS, now=archive.clock.now(), source="keyword")
    archive.clock.advance(days=3600)
    archive.db.run_blocking(consent.reopen, ANAS, now=archive.clock.now())
    archive.keep(opt_outs=3653)
    await archive.look(timedelta(days=100))
    assert [row.phone for row in archive.rows(consent_events)] == [ANA, ANA]


async def test_other_lines_data_is_not_touched(archive):
    archive.text("Ours")
    other = an_arrival("Theirs", phone=BRUNO, at=archive.clock.now(), line=a_line(key="spa"))
    archive.db.run_blocking(receive, [other])
    archive.set(texts, handled_at=archive.clock.now())
    archive.db.run_blocking(consent.opt_out, Whose(line="spa", phone=BRUNO), now=archive.clock.now(), source="keyword")
    archive.keep(words=30, opt_outs=3653)
    await archive.look(11 * YEAR)
    assert archive.bodies() == ["", "Theirs"]
    assert [row.phone for row in archive.rows(consent_events)] == [BRUNO]


async def test_another_lines_worker_leaves_it_alone(archive):
    archive.text("Ours")
    archive.keep(words=30)
    archive.line = a_line(key="spa", keeps=Keeps(words=30))
    await archive.look(timedelta(days=31))
    assert archive.bodies() == ["Ours"]
    archive.keep(words=30)
    await archive.look()
    assert archive.bodies() == [""]


@pytest.mark.parametrize(
    ("days", "why"),
    [
        ({"consent_proof": 1826}, "5 years"),
        ({"opt_outs": 3652}, "10 years"),
        ({"words": 6}, "a week"),
        ({"answers": 0}, "a week"),
    ],
)
def test_a_line_that_would_keep_too_little_is_no_line(days, why):
    with pytest.raises(BadLine, match=why):
        a_line(keeps=Keeps(**days))
