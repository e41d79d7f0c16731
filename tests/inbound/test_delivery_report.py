import itertools

import pytest
from sqlalchemy import select, update

from replyline.db.tables import delivery_reports, opt_outs, texts
from replyline.inbound.delivery_report import DeliveryReport, report
from replyline.inbound.receive import receive
from replyline.outbound.say import say
from replyline.rules.facts import Purpose
from tests.support.cast import ANA, GYM_NUMBER, MONDAY, a_sid, an_arrival

SID = a_sid()


def a_report(status, *, text_id=None, sid=SID, error_code=None):
    return DeliveryReport(sid=sid, text_id=text_id, status=status, error_code=error_code, fields={}, received_at=MONDAY)


@pytest.fixture
def text_id(db):
    """A text that is on the wire: SENDING, and no SID yet."""
    text_id = db.run_blocking(
        say, line="gym", phone=ANA, our_address=GYM_NUMBER, body="Hi", purpose=Purpose.TRANSACTIONAL, now=MONDAY
    )
    db.run_blocking(lambda conn: conn.execute(update(texts).values(status="sending")))
    return text_id


def status_of(db, text_id):
    return db.run_blocking(lambda conn: conn.execute(select(texts.c.status).where(texts.c.id == text_id)).scalar())


@pytest.mark.parametrize("order", list(itertools.permutations(["queued", "sent", "delivered"])))
def test_reports_in_any_order_end_at_delivered(db, text_id, order):
    for status in order:
        db.run_blocking(report, [a_report(status, text_id=text_id)])
    assert status_of(db, text_id) == "delivered"


@pytest.mark.parametrize("order", list(itertools.permutations(["queued", "sent", "delivered"])))
def test_reports_in_one_set_end_at_delivered_in_any_order(db, text_id, order):
    db.run_blocking(report, [a_report(status, text_id=text_id) for status in order])
    assert status_of(db, text_id) == "delivered"


def test_a_report_before_our_own_commit_brings_the_sid(db, text_id):
    db.run_blocking(report, [a_report("sent", text_id=text_id)])
    row = db.run_blocking(lambda conn: conn.execute(select(texts)).one())
    assert (row.sid, row.status) == (SID, "sent")


def test_a_repeated_report_is_written_down_once(db, text_id):
    each = a_report("sent", text_id=text_id)
    assert db.run_blocking(report, [each]) == [True]
    assert db.run_blocking(report, [each, each]) == [False, False]
    assert len(db.run_blocking(lambda conn: conn.execute(select(delivery_reports)).all())) == 1


def test_a_report_under_another_sid_cannot_move_a_text_that_has_its_own(db, text_id):
    db.run_blocking(report, [a_report("sent", text_id=text_id)])
    db.run_blocking(report, [a_report("failed", text_id=text_id, sid=a_sid())])
    assert status_of(db, text_id) == "sent"


def test_a_report_of_a_text_we_never_sent_changes_nothing(db, text_id):
    db.run_blocking(report, [a_report("delivered", text_id="txt_unknown", sid=a_sid())])
    assert status_of(db, text_id) == "sending"


def test_21610_in_a_report_is_an_opt_out(db, text_id):
    db.run_blocking(report, [a_report("failed", text_id=text_id, error_code=21610)])
    (row,) = db.run_blocking(lambda conn: conn.execute(select(opt_outs)).all())
    assert (row.phone, row.source) == (ANA, "carrier")


@pytest.mark.parametrize("order", list(itertools.permutations(["first", "second"])))
def test_a_text_that_was_sent_twice_follows_one_of_its_two_messages(db, text_id, order):
    other = a_sid()
    reports = {"first": a_report("sent", text_id=text_id), "second": a_report("failed", text_id=text_id, sid=other)}
    db.run_blocking(report, [reports["first"]])
    db.run_blocking(report, [a_report("delivered", text_id=text_id) if n == "first" else reports[n] for n in order])
    row = db.run_blocking(lambda conn: conn.execute(select(texts)).one())
    assert (row.sid, row.status) == (SID, "delivered")


def test_two_messages_that_claim_one_text_at_once_are_both_written_down_and_one_is_believed(db, text_id):
    other = a_sid()
    new = db.run_blocking(report, [a_report("sent", text_id=text_id), a_report("failed", text_id=text_id, sid=other)])
    row = db.run_blocking(lambda conn: conn.execute(select(texts)).one())
    assert (new, row.sid, row.status) == ([True, True], SID, "sent")


def test_a_report_that_names_another_text_of_ours_is_about_the_message_it_has(db, text_id):
    db.run_blocking(report, [a_report("sent", text_id=text_id)])
    second = db.run_blocking(
        say, line="gym", phone=ANA, our_address=GYM_NUMBER, body="Ho", purpose=Purpose.TRANSACTIONAL, now=MONDAY
    )
    db.run_blocking(report, [a_report("delivered", text_id=second)])
    assert (status_of(db, text_id), status_of(db, second)) == ("delivered", "queued")


def test_a_report_about_what_a_person_wrote_moves_nothing(db, text_id):
    theirs = an_arrival("Hi")
    db.run_blocking(receive, [theirs])
    assert db.run_blocking(report, [a_report("sent", text_id=text_id, sid=theirs.text.sid)]) == [True]
    assert status_of(db, text_id) == "sending"
