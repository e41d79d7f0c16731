"""What the gate holds leaves in the end, or ends with a reason: nothing waits for ever, and nothing waits for the past."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from replyline.conversations.delivery import Status
from replyline.db.tables import consents, contacts, decisions, senders, texts, work
from replyline.outbound.claim import Departures
from replyline.outbound.queue import KIND
from replyline.outbound.say import say
from replyline.rules.facts import Purpose
from replyline.rules.rulebook import read_rulebook
from replyline.rules.verdict import Refuse, Send, Wait
from replyline.work import take
from tests.support.cast import GYM_NUMBER, a_line
from tests.support.databases import only_on_sqlite
from tests.support.left_out import as_many

BOOK = read_rulebook()
ENDS = {Status.SENDING, Status.EXPIRED, Status.REFUSED}
MOST_ROUNDS = (
    8  # a cap, an hour, a rule of the line, and each of them once more; plus an hour at a time until it expires
)
LONGEST = timedelta(days=62)
_number = count()

codes = sorted(code for code, spot in BOOK.area_codes.items() if spot.countries & {"US", "CA", "PR", "GU"})
phones = st.one_of(
    st.sampled_from(codes).map(lambda code: f"+1{code}5550123"),
    st.sampled_from(
        ["+18885550123", "+33612345678", "+573001234567", "+447400123456", "+4915123456789", "+84912345678"]
    ),
)
places = st.fixed_dictionaries(
    {
        "zone": st.sampled_from([None, "America/New_York", "Pacific/Honolulu", "Asia/Tokyo", "Pacific/Guam"]),
        "state": st.sampled_from([None, "TX", "FL", "LA", "PA", "KY"]),
        "postal_code": st.sampled_from([None, "97201", "33101", "96910"]),
    }
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
hours = st.sampled_from(["", "", "Mon-Fri 10:00-16:00", "Sat 09:00-10:00", "03:00-04:00", "00:00-23:59"])
days = st.integers(0, 20 * 24).map(lambda n: timedelta(hours=n))
lines = st.fixed_dictionaries(
    {
        "text_hours": hours,
        "holds_notices": st.booleans(),
        "notices_need": st.sampled_from(["none", "express"]),
        "marketing_caps": st.sampled_from([[], ["1 per 24h"], ["2 per 48h", "3 per 168h"], ["1 per 744h"]]),
        "follows_adad": st.booleans(),
    }
)


def never(at, patience):
    """No rule of the line's own."""


def not_before(at, patience):
    """The idiom of a line's author: until that moment, whatever it is now."""
    return lambda facts, now: Wait(until=at + patience, why="not before the sale")


def always_an_hour_more(at, patience):
    return lambda facts, now: Wait(until=now + timedelta(hours=1), why="an hour more")


def no(at, patience):
    return lambda facts, now: Refuse(why="not this one") if now >= at + patience else Send()


@only_on_sqlite
@pytest.mark.timeout(300)
@settings(
    max_examples=as_many(250, quick=50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    phone=phones,
    known=places,
    at=moments,
    given_line=lines,
    purpose=st.sampled_from(Purpose),
    expires_after=st.none() | days,
    rule=st.sampled_from([never, never, not_before, always_an_hour_more, no]),
    patience=days,
    sent_before=st.lists(st.integers(1, 31 * 24 * 60), max_size=6),
    agreed_for=st.none() | days,
)
def test_a_held_text_leaves_or_ends_with_a_reason(
    db, phone, known, at, given_line, purpose, expires_after, rule, patience, sent_before, agreed_for
):
    line = a_line(
        key=f"gym-{next(_number)}", countries=["US", "CA", "FR", "CO", "GB", "DE", "VN", "PR", "GU"], **given_line
    )
    if made := rule(at, patience):
        line.rule(made)
    if rule is always_an_hour_more:  # who does has to say when it is enough
        expires_after = min(expires_after or timedelta(hours=30), timedelta(days=as_many(20, quick=3)))
    queued = {"phone": phone, "at": at, "purpose": purpose, "expires_after": expires_after}
    text_id = db.run_blocking(prepare, line, known, sent_before, agreed_for, **queued)
    departures, now = Departures(line, BOOK, b"secret"), at
    most = MOST_ROUNDS + (24 * 21 if rule is always_an_hour_more else 0)
    for _ in range(most):
        status, why, due, until = db.run_blocking(judge_once, departures, text_id, now)
        if status in ENDS:
            break
        assert status is Status.QUEUED
        assert why, "It is held, and nobody can tell why."
        assert due > now, "It waits for the past."
        assert until is not None, "Nobody wrote down until when it was held at first."
        assert until <= due
        now = due
    assert status in ENDS, f"After {most} rounds it still waits: {why}"
    assert now - at <= LONGEST
    assert status is Status.SENDING or why
    assert db.run_blocking(lambda conn: conn.execute(select(work.c.owner).where(work.c.key == text_id)).all()) == (
        [("test",)] if status is Status.SENDING else []
    )


def prepare(conn, line, known, sent_before, agreed_for, *, phone, at, purpose, expires_after):
    """A person with a history, and a text to them that waits to be judged."""
    for table in (decisions, work, senders):  # of the example before
        conn.execute(table.delete())
    text = {"line": line.key, "phone": phone, "our_address": GYM_NUMBER, "body": "See you at six."}
    for minutes in sent_before:
        before = say(conn, **text, purpose=Purpose.MARKETING, now=at)
        left = {"status": "sent", "sending_at": at - timedelta(minutes=minutes)}
        conn.execute(update(texts).where(texts.c.id == before).values(left))
        conn.execute(work.delete().where(work.c.key == before))
    text_id = say(
        conn, **text, purpose=purpose, now=at, expires_at=None if expires_after is None else at + expires_after
    )
    conn.execute(update(contacts).where(contacts.c.line == line.key).values(known))
    agreed = {"line": line.key, "phone": phone, "program": "", "tier": "express_written", "is_confirmed": True}
    until = None if agreed_for is None else at + agreed_for
    conn.execute(
        insert(consents),
        [
            agreed | {"purpose": each, "since": at, "expires_at": until, "event_id": "cev_test"}
            for each in ("transactional", "marketing")
        ],
    )
    return text_id


def judge_once(conn, departures, text_id, now):
    """One claim at that time; gives what the text is then, when it is looked at again, and until when it was held."""
    taken = take(conn, owner="test", kinds=[KIND], limit=5, now=now, gates={KIND: departures})
    assert taken.count == 1
    row = conn.execute(select(texts).where(texts.c.id == text_id)).one()
    due = conn.execute(select(work.c.due).where(work.c.key == text_id)).scalar()
    said = conn.execute(
        select(decisions.c.until)
        .where(decisions.c.text_id == text_id)
        .order_by(decisions.c.at.desc(), decisions.c.id.desc())
    ).scalars()
    return Status(row.status), row.why, due, next(iter(said), None)
