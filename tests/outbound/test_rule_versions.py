"""Rules are dated data: who replaces a file changes what becomes of the texts that wait, and every decision says by which."""

from datetime import timedelta
from importlib.resources import files

import pytest
from sqlalchemy import select

from replyline.clock import as_utc
from replyline.db.tables import decisions, texts
from replyline.outbound.claim import Departures
from replyline.outbound.queue import KIND
from replyline.outbound.say import say
from replyline.rules.facts import Purpose
from replyline.rules.foresee import foresee
from replyline.rules.rulebook import STATE_HOURS, read_rulebook
from replyline.work import take
from tests.support.agreed import agree
from tests.support.cast import ANA, GYM_NUMBER, a_line
from tests.support.post import SECRET

SHIPPED = files("replyline.rules").joinpath("data", STATE_HOURS).read_text(encoding="utf-8")
EVENING = as_utc("2026-03-03 20:30 America/New_York")  # the federal hours end at nine, and New York has no others
NIGHT = as_utc("2026-03-03 22:00 America/New_York")
MORNING = as_utc("2026-03-04 08:00 America/New_York")


@pytest.fixture
def replaced(tmp_path):
    """A folder of a user's rules in which the federal hours are other ones, as a rulebook."""

    def replace(name, start, end):
        folder = tmp_path / name
        folder.mkdir()
        assert "\nFED,08:00,21:00," in SHIPPED
        (folder / STATE_HOURS).write_text(SHIPPED.replace("\nFED,08:00,21:00,", f"\nFED,{start},{end},"))
        return read_rulebook(folder)

    return replace


@pytest.fixture
def judged(db):
    """Let what is due leave by some rules, as a process would that was started with them."""

    def judge(book, now):
        departures = Departures(a_line(), book, SECRET)
        db.run_blocking(take, owner="test", kinds=[KIND], limit=5, now=now, gates={KIND: departures})
        (row,) = db.run_blocking(lambda conn: conn.execute(select(texts)).all())
        return row.status

    return judge


def advertise(db, now):
    db.run_blocking(agree, "gym", ANA, now)
    words = {"line": "gym", "phone": ANA, "our_address": GYM_NUMBER, "body": "Half price!"}
    return db.run_blocking(say, **words, purpose=Purpose.MARKETING, now=now)


def kept(db):
    in_order = select(decisions).order_by(decisions.c.at)
    rows = db.run_blocking(lambda conn: conn.execute(in_order).all())
    return [(row.verdict, row.rules_version, row.until) for row in rows]


def test_a_text_that_was_held_leaves_later_when_the_new_rules_say_later(db, judged, replaced):
    shipped, later = read_rulebook(), replaced("later", "11:00", "21:00")
    advertise(db, NIGHT)
    assert judged(shipped, NIGHT) == "queued"
    assert judged(later, MORNING) == "queued"
    assert judged(later, MORNING + timedelta(hours=3)) == "sending"
    assert kept(db) == [
        ("wait", shipped.version, MORNING),
        ("wait", later.version, MORNING + timedelta(hours=3)),
        ("send", later.version, None),
    ]


def test_a_text_that_was_held_leaves_at_its_next_look_when_the_new_rules_let_it(db, judged, replaced):
    stricter = replaced("stricter", "10:00", "18:00")
    advertise(db, EVENING)
    assert judged(stricter, EVENING) == "queued"
    assert judged(read_rulebook(), MORNING + timedelta(hours=2)) == "sending"
    assert kept(db) == [
        ("wait", stricter.version, MORNING + timedelta(hours=2)),
        ("send", read_rulebook().version, None),
    ]


def test_the_same_text_at_the_same_time_leaves_by_one_version_and_waits_by_another(db, replaced):
    db.run_blocking(agree, "gym", ANA, EVENING)
    asked = {"purpose": "marketing", "program": "", "at": EVENING, "secret": SECRET}
    books = [replaced("narrow", "10:00", "18:00"), read_rulebook(), replaced("wide", "07:00", "22:00")]
    said = [db.run_blocking(foresee, a_line(), book, ANA, **asked) for book in books]
    assert [each["verdict"] for each in said] == ["wait", "send", "send"]
    assert [each["rules_version"] for each in said] == [book.version for book in books]


def test_a_version_names_the_folder_and_the_very_bytes(replaced, tmp_path):
    one, other = replaced("acme-1", "08:00", "20:00"), replaced("acme-2", "08:00", "19:00")
    same = replaced("acme-3", "08:00", "19:00")
    assert one.version.startswith("acme-1+")
    digests = {book.version.partition("+")[2] for book in (one, other, same)}
    assert len(digests) == 2
    assert other.version.partition("+")[2] == same.version.partition("+")[2]
    assert read_rulebook().version.partition("+")[2] not in digests
