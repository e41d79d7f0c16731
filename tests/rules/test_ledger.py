"""The ledger of consent: whatever is done to its rows shows."""

import asyncio
import random
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from tests.support.cast import ANA, BRUNO, CLEO, MONDAY

from replyline.db.tables import consent_chains, consent_events, consents, opt_outs
from replyline.plugins.programs import Tier
from replyline.rules import consent
from replyline.rules.consent import OptedOut, OptIn, Whose
from replyline.rules.facts import Purpose, Scope
from replyline.rules.ledger import verify

ANAS, BRUNOS = Whose(line="gym", phone=ANA), Whose(line="gym", phone=BRUNO)
WRITTEN = OptIn(
    purpose=Purpose.MARKETING,
    tier=Tier.EXPRESS_WRITTEN,
    source="web_form",
    proof={"disclosure": "Offers from Gym, at most 4 a month.", "ip": "203.0.113.7"},
)
NOTICES = OptIn(purpose=Purpose.TRANSACTIONAL, tier=Tier.EXPRESS, source="person", proof={"how": "at the desk"})


def events(db):
    return db.run_blocking(lambda conn: conn.execute(select(consent_events).order_by(consent_events.c.position)).all())


def rows(db, table):
    return db.run_blocking(lambda conn: conn.execute(select(table)).all())


def wrong(db):
    return db.run_blocking(verify, "gym").wrong


@pytest.fixture
def ledger(db):
    """Six events of three people."""

    def write(conn):
        consent.opt_in(conn, ANAS, WRITTEN, now=MONDAY)
        consent.opt_in(conn, BRUNOS, NOTICES, now=MONDAY)
        consent.opt_out(conn, BRUNOS, now=MONDAY, source="keyword", word="STOP", matched_by="twilio", text_id="txt_1")
        consent.reopen(conn, BRUNOS, now=MONDAY, word="START")
        consent.record(conn, Whose(line="gym", phone=CLEO), now=MONDAY, kind="help", source="keyword", word="HELP")
        consent.opt_out(conn, ANAS, now=MONDAY, source="keyword", scope=Scope.MARKETING)

    db.run_blocking(write)
    return db


def test_a_ledger_that_nobody_touched_is_whole(ledger):
    found = ledger.run_blocking(verify, "gym")
    assert (found.events, found.wrong, found.before_the_chain) == (6, (), 0)
    assert found.head == events(ledger)[-1].hash
    assert [row.position for row in events(ledger)] == [1, 2, 3, 4, 5, 6]


def test_each_line_has_a_chain_of_its_own(ledger):
    ledger.run_blocking(consent.reopen, Whose(line="spa", phone=ANA), now=MONDAY)
    assert ledger.run_blocking(verify, "spa").events == 1
    assert wrong(ledger) == ()


CHANGES = {
    "kind": "reassigned",
    "source": "person",
    "scope": "transactional",
    "tier": "none",
    "program": "offers",
    "matched_by": "phrase",
    "text_id": "txt_2",
    "at": MONDAY - timedelta(days=1),
    "recorded_at": MONDAY + timedelta(seconds=1),
    "phone": CLEO + "0",
    "word": "Yes, I agree",
    "proof": {"how": "they said so"},
    "salt": "00",
    "content_hash": "0" * 64,
    "hash": "0" * 64,
    "line": "gym2",
}


@pytest.mark.parametrize("column", CHANGES)
@pytest.mark.parametrize("position", [1, 3, 6])
def test_any_change_of_any_row_shows(ledger, column, position):
    where = consent_events.c.position == position
    ledger.run_blocking(
        lambda conn: conn.execute(update(consent_events).where(where).values({column: CHANGES[column]}))
    )
    assert wrong(ledger)


@pytest.mark.parametrize("positions", [[1], [3], [6], [2, 3], [5, 6], [1, 2, 3, 4, 5, 6]])
def test_a_row_that_is_missing_shows(ledger, positions):
    ledger.run_blocking(
        lambda conn: conn.execute(delete(consent_events).where(consent_events.c.position.in_(positions)))
    )
    assert wrong(ledger)


def test_rows_that_changed_places_show(ledger):
    def swap(conn):
        for of, to in ((2, 99), (3, 2), (99, 3)):
            conn.execute(update(consent_events).where(consent_events.c.position == of).values(position=to))

    ledger.run_blocking(swap)
    assert wrong(ledger)


def test_an_end_that_was_moved_back_shows(ledger):
    ledger.run_blocking(lambda conn: conn.execute(update(consent_chains).values(position=5)))
    assert wrong(ledger)


def test_an_erasure_leaves_the_chain_whole(ledger):
    gone = {"phone": None, "word": None, "proof": None, "salt": None, "person": "f" * 64}
    ledger.run_blocking(
        lambda conn: conn.execute(update(consent_events).where(consent_events.c.phone == ANA).values(**gone))
    )
    found = ledger.run_blocking(verify, "gym")
    assert (found.wrong, found.erased) == ((), 2)


async def test_many_writers_at_once_make_one_chain(db):
    people = [Whose(line="gym", phone=f"+1212555{n:04}") for n in range(60)]
    random.Random(1).shuffle(people)
    await asyncio.gather(*(db.run(stop, whose) for whose in people))
    found = await db.run(verify, "gym")
    assert (found.events, found.wrong) == (60, ())


def stop(conn, whose):
    consent.opt_out(conn, whose, now=MONDAY, source="keyword")


def test_an_opt_out_takes_back_what_it_covers_and_start_does_not_give_it_again(db):
    def agree_stop_and_come_back(conn):
        consent.opt_in(conn, ANAS, WRITTEN, now=MONDAY)
        consent.opt_in(conn, ANAS, NOTICES, now=MONDAY)
        consent.opt_out(conn, ANAS, now=MONDAY, source="keyword", scope=Scope.MARKETING)

    db.run_blocking(agree_stop_and_come_back)
    assert [row.purpose for row in rows(db, consents)] == ["transactional"]
    db.run_blocking(consent.reopen, ANAS, now=MONDAY)
    assert [row.purpose for row in rows(db, consents)] == ["transactional"]
    assert rows(db, opt_outs) == []


def test_two_partial_opt_outs_are_one_from_everything(db):
    for scope in (Scope.MARKETING, Scope.TRANSACTIONAL):
        db.run_blocking(consent.opt_out, ANAS, now=MONDAY, source="person", scope=scope)
    assert [row.scope for row in rows(db, opt_outs)] == ["all"]


def test_a_later_smaller_opt_out_does_not_shrink_an_earlier_one(db):
    for scope in (Scope.ALL, Scope.MARKETING):
        db.run_blocking(consent.opt_out, ANAS, now=MONDAY, source="person", scope=scope)
    assert [row.scope for row in rows(db, opt_outs)] == ["all"]


def test_nobody_else_undoes_an_opt_out(db):
    db.run_blocking(consent.opt_out, ANAS, now=MONDAY, source="keyword")
    with pytest.raises(OptedOut, match="START"):
        db.run_blocking(consent.opt_in, ANAS, WRITTEN, now=MONDAY)
    assert [event.kind for event in events(db)] == ["opt_out"]


def test_a_number_that_was_reassigned_has_agreed_to_nothing(db):
    db.run_blocking(consent.opt_in, ANAS, WRITTEN, now=MONDAY)
    db.run_blocking(consent.reassigned, ANAS, now=MONDAY, source="import")
    assert rows(db, consents) == []
