"""Lists of consent from elsewhere."""

import csv
import io
import json

import pytest
from sqlalchemy import select

from replyline.db.tables import consent_events, consents, opt_outs
from replyline.people.lists import BadList, ledger_rows, read_list, write_csv, write_json_lines
from replyline.rules.ledger import verify
from tests.support.cast import ANA, BRUNO, MONDAY

GOOD = f"""phone,event,scope,tier,program,at,how
{ANA},opt_in,marketing,express_written,,2025-11-02T10:00:00+00:00,"Form at gym.example/offers, version 3"
{BRUNO},opt_out,all,,,2025-12-01,
"""


def take_in(db, written):
    rows = list(csv.DictReader(io.StringIO(written)))
    return db.run_blocking(read_list, "gym", rows, by="sam", now=MONDAY)


def rows(db, table):
    return db.run_blocking(lambda conn: conn.execute(select(table)).all())


def test_a_list_is_in_force_and_in_the_ledger(db):
    assert take_in(db, GOOD) == 2
    (agreed,) = rows(db, consents)
    assert (agreed.phone, agreed.purpose, agreed.tier, agreed.since.year) == (ANA, "marketing", "express_written", 2025)
    assert [row.phone for row in rows(db, opt_outs)] == [BRUNO]
    assert {row.source for row in rows(db, consent_events)} == {"import"}
    assert db.run_blocking(verify, "gym").wrong == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("555,opt_out,all,,,,", "Line 4"),
        (f"{ANA},subscribe,marketing,express,,,on paper", "opt_in or opt_out"),
        (f"{ANA},opt_in,marketing,express_written,,,", "how they agreed"),
        (f"{ANA},opt_in,everything,express,,,on paper", "everything"),
        (f"{ANA},opt_in,marketing,firm,,,on paper", "firm"),
        (f"{ANA},opt_out,all,,,2027-01-01,", "not come yet"),
        (f"{ANA},opt_out,all,,,yesterday,", "yesterday"),
        (f"{BRUNO},opt_in,marketing,express_written,,,on paper", "START"),
    ],
)
def test_a_list_with_one_bad_line_is_not_taken_in_at_all(db, line, why):
    with pytest.raises(BadList, match=why):
        take_in(db, GOOD + line + "\n")
    assert rows(db, consent_events) == rows(db, opt_outs) == []


def test_the_ledger_is_exported_whole(db):
    take_in(db, GOOD)
    found = db.run_blocking(lambda conn: list(ledger_rows(conn, "gym")))
    as_csv, as_lines = io.StringIO(), io.StringIO()
    write_csv(found, as_csv)
    write_json_lines(found, as_lines)
    assert [row["phone"] for row in csv.DictReader(io.StringIO(as_csv.getvalue()))] == [ANA, BRUNO]
    parsed = [json.loads(line) for line in as_lines.getvalue().splitlines()]
    assert [row["position"] for row in parsed] == [1, 2]
    assert parsed[0]["proof"]["how"] == "Form at gym.example/offers, version 3"
