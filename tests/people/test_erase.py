"""Forgetting a person, and what has to stay."""

from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text, update
from sqlalchemy.engine import make_url

from replyline.db.tables import audit_events, contacts, opt_outs, suppressions, texts, turns
from replyline.inbound.receive import Received, receive
from replyline.outbound.say import say
from replyline.people.erase import CannotErase, erase
from replyline.people.export import export, in_words
from replyline.plugins.programs import Tier
from replyline.rules import consent
from replyline.rules.consent import OptIn, Whose
from replyline.rules.facts import Purpose, Scope
from replyline.rules.ledger import verify
from replyline.rules.person import person_of
from tests.support.cast import ANA, BRUNO, GYM_NUMBER, MONDAY, an_arrival
from tests.support.databases import only_on_sqlite
from tests.support.post import SECRET

ANAS = Whose(line="gym", phone=ANA)
WORDS = "my-knee-hurts"  # of a text that has to go


@pytest.fixture
def known(db):
    """Ana wrote, agreed to offers, and was texted."""
    db.run_blocking(receive, [an_arrival(WORDS), an_arrival("Hi", phone=BRUNO)])
    written = OptIn(
        purpose=Purpose.MARKETING, tier=Tier.EXPRESS_WRITTEN, source="web_form", proof={"ip": "203.0.113.7"}
    )
    db.run_blocking(consent.opt_in, ANAS, written, now=MONDAY)
    db.run_blocking(
        say, line="gym", phone=ANA, our_address=GYM_NUMBER, body=WORDS, purpose=Purpose.TRANSACTIONAL, now=MONDAY
    )
    db.run_blocking(lambda conn: conn.execute(update(contacts).where(contacts.c.phone == ANA).values(name="Ana Q.")))
    return db


def forget(db, whose=ANAS):
    return db.run_blocking(erase, whose, secret=SECRET, by="sam", now=MONDAY)


def rows(db, table):
    return db.run_blocking(lambda conn: conn.execute(select(table)).all())


def everything(db):
    """Every value of every row of every table, as text."""

    def read(conn):
        tables = inspect(conn).get_table_names()
        return "\n".join(str(tuple(row)) for each in tables for row in conn.execute(text(f'SELECT * FROM "{each}"')))

    return db.run_blocking(read)


def test_nothing_of_a_person_who_is_forgotten_is_in_any_table(known):
    assert ANA in everything(known)
    gone = forget(known)
    assert (gone.texts, gone.is_suppressed) == (2, False)
    left = everything(known)
    for word in (ANA, WORDS, "Ana Q.", "203.0.113.7"):
        assert word not in left
    assert BRUNO in left
    assert known.run_blocking(verify, "gym").wrong == ()
    (audit,) = rows(known, audit_events)
    assert (audit.kind, audit.actor, audit.person) == ("erase", "sam", person_of(ANA, SECRET))


@only_on_sqlite
def test_nor_is_it_in_the_file(known, database_url):
    forget(known)
    known.close_blocking()  # empties the log into the file
    path = Path(make_url(database_url).database)
    content = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    assert BRUNO.encode() in content
    for word in (ANA, WORDS, "Ana Q."):
        assert word.encode() not in content


def test_an_opt_out_outlives_the_erasure_and_only_their_start_undoes_it(known):
    known.run_blocking(consent.opt_out, ANAS, now=MONDAY, source="keyword")
    assert forget(known).is_suppressed
    assert rows(known, opt_outs) == []
    assert known.run_blocking(receive, [an_arrival("Hello again", secret=SECRET)]) == [Received.NEW]
    assert len(rows(known, suppressions)) == 1
    assert known.run_blocking(receive, [an_arrival("START", secret=SECRET)]) == [Received.HEEDED]
    assert rows(known, suppressions) == []


async def test_who_is_forgotten_and_had_opted_out_is_not_texted(post):
    post.db.run_blocking(receive, [an_arrival("Hi")])
    post.db.run_blocking(consent.opt_out, ANAS, now=MONDAY, source="keyword")
    forget(post.db)
    text_id = post.say("We miss you!", purpose=Purpose.CONVERSATIONAL_REPLY)
    await post.work()
    assert post.status(text_id) == "refused"
    assert post.row(text_id).why == "they have opted out"


def test_a_person_who_was_forgotten_and_writes_again_is_somebody_new(known):
    forget(known)
    assert known.run_blocking(receive, [an_arrival("Hello", secret=SECRET)]) == [Received.NEW]
    assert sorted(row.phone[:7] for row in rows(known, contacts)) == sorted([ANA[:7], BRUNO[:7], "erased-"])
    assert forget(known).texts == 1


def test_who_is_being_answered_is_not_forgotten_in_the_middle_of_it(known):
    (conversation,) = {row.conversation_id for row in rows(known, texts) if row.phone == ANA}
    running = {"id": "trn_1", "line": "gym", "conversation_id": conversation, "state": "running"}
    known.run_blocking(
        lambda conn: conn.execute(turns.insert().values(**running, created_at=MONDAY, deadline_at=MONDAY))
    )
    with pytest.raises(CannotErase, match="a minute"):
        forget(known)
    assert ANA in everything(known)


def test_who_is_not_known_cannot_be_forgotten(db):
    with pytest.raises(CannotErase, match="Nothing is known"):
        forget(db)


def test_an_export_has_everything_of_that_person_and_of_nobody_else(known):
    found = known.run_blocking(export, ANAS, secret=SECRET, by="sam", now=MONDAY)
    assert [row["body"] for row in found["texts"]] == [WORDS, WORDS]
    assert found["contact"][0]["name"] == "Ana Q."
    assert found["consent events"][0]["proof"] == {"ip": "203.0.113.7"}
    assert BRUNO not in str(found)
    assert any(WORDS in line for line in in_words(found))
    assert [row.kind for row in rows(known, audit_events)] == ["export"]


def test_who_opted_out_of_advertising_was_erased_and_then_opts_out_of_all_is_not_texted_at_all(known):
    known.run_blocking(consent.opt_out, ANAS, now=MONDAY, source="keyword", scope=Scope.MARKETING)
    forget(known)
    known.run_blocking(receive, [an_arrival("STOP", secret=SECRET)])
    forget(known)
    assert [row.scope for row in rows(known, suppressions)] == ["all"]
