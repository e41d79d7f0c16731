"""Asked beforehand of many people at once, the gate says what it would say of each."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, insert, update
from tests.support.agreed import agree
from tests.support.cast import GYM_NUMBER, a_line

from replyline.conversations.store import find_or_start
from replyline.db.sqlite import raw
from replyline.db.tables import contacts, opt_outs, suppressions
from replyline.outbound.say import say
from replyline.rules.decisions import name_of
from replyline.rules.facts import Purpose
from replyline.rules.foresee import foresee, foresee_many
from replyline.rules.person import person_of
from replyline.rules.rulebook import read_rulebook

AT = datetime(2026, 3, 3, 13, 30, tzinfo=UTC)  # 8:30 in New York, 5:30 by the Pacific
SECRET = b"secret"
BOOK = read_rulebook()
FINE, STRANGER, GONE, ERASED, MOVED, SATED, WEST, ABROAD = (
    "+12125550101", "+12125550102", "+12125550103", "+12125550104", "+12125550105", "+13055550106",
    "+14155550107", "+33612345678",
)  # fmt: skip
PEOPLE = [FINE, STRANGER, GONE, ERASED, MOVED, SATED, WEST, ABROAD]
ASKED = {"purpose": "marketing", "program": "", "at": AT, "secret": SECRET}


@pytest.fixture
def crowd(db):
    """One of each kind of person."""

    def meet(conn):
        for phone in set(PEOPLE) - {STRANGER}:
            agree(conn, "gym", phone, AT)
        find_or_start(conn, [("gym", phone, GYM_NUMBER) for phone in PEOPLE if phone != STRANGER], AT)
        held = {"line": "gym", "scope": "all", "since": AT, "source": "keyword"}
        conn.execute(insert(opt_outs).values(held | {"phone": GONE}))
        erased = {"line": "gym", "person": person_of(ERASED, SECRET), "scope": "all", "since": AT, "source": "keyword"}
        conn.execute(insert(suppressions).values(erased))
        conn.execute(update(contacts).where(contacts.c.phone == MOVED).values(zone="America/Los_Angeles"))
        for n in range(3):  # Florida allows three in a day
            text_id = say(
                conn,
                line="gym",
                phone=SATED,
                our_address=GYM_NUMBER,
                body="Half price!",
                purpose=Purpose.MARKETING,
                now=AT,
            )
            left = "UPDATE texts SET status = 'sent', sending_at = {} WHERE id = '{}'"
            micros = int((AT - timedelta(hours=n + 1)).timestamp() * 1_000_000)
            conn.exec_driver_sql(left.format(micros, text_id))

    db.run_blocking(meet)
    return db


def test_each_of_many_is_told_what_they_would_be_told_alone(crowd):
    line = a_line()
    many = crowd.run_blocking(foresee_many, line, BOOK, PEOPLE, **ASKED)
    alone = {phone: crowd.run_blocking(foresee, line, BOOK, phone, **ASKED) for phone in PEOPLE}
    assert {phone: name_of(decision.verdict) for phone, decision in many.items()} == {
        FINE: "send", STRANGER: "refuse", GONE: "refuse", ERASED: "refuse",
        MOVED: "wait", SATED: "wait", WEST: "wait", ABROAD: "refuse",
    }  # fmt: skip
    for phone, decision in many.items():
        assert name_of(decision.verdict) == alone[phone]["verdict"]
        assert getattr(decision.verdict, "why", None) == alone[phone]["why"]
        assert [rule for rule, _ in decision.said] == [rule for rule, *_ in alone[phone]["said"]]


def test_who_is_named_twice_is_asked_about_once(crowd):
    assert list(crowd.run_blocking(foresee_many, a_line(), BOOK, [FINE, GONE, FINE], **ASKED)) == [FINE, GONE]


@pytest.mark.parametrize("purpose", ["marketing", "transactional"])
def test_a_thousand_people_take_no_more_statements_than_nine_hundred(db, purpose):
    asked = {**ASKED, "purpose": purpose}

    def counted(conn, how_many):
        said = []
        people = [f"+1212{2_000_000 + n}" for n in range(how_many)]
        if conn.dialect.name == "sqlite":
            connection: sqlite3.Connection = raw(conn)
            connection.set_trace_callback(said.append)
        else:
            event.listen(conn, "before_cursor_execute", lambda *given: said.append(given[2]))
        assert len(foresee_many(conn, a_line(), BOOK, people, **asked)) == how_many
        if conn.dialect.name == "sqlite":
            connection.set_trace_callback(None)
        return len(said)

    # SQLite takes at most 128 rows in a statement, so both are eight parts of each.
    few, many = db.run_blocking(counted, 900), db.run_blocking(counted, 1_000)
    assert few == many <= 4 * (8 if db.engine_name == "sqlite" else 1)
