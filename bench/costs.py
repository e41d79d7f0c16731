"""What looking at a year's costs takes, and what writing charges down takes.

The sums of 10 million texts are made as rows of `charge_days` and `charge_talks`, not by 10 million charges: views read
nothing else. Charges themselves are written in sets of 100, as busy processes do.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import Connection

from bench.databases import Database
from replyline.costs import ledger, sums
from replyline.costs.charge import FIGURES, Charge, Kind
from replyline.costs.sums import KEYS, TALK_FIGURES, TALK_KEYS
from replyline.costs.views import dearest_talks, view
from replyline.db import Db, open_db
from replyline.db.sqlite import raw

TEXTS = 10_000_000
CONVERSATIONS = 300_000
MONTHS_EACH = 3
NEW = 2_000  # changes that are not folded yet: of a minute a hundred times as busy as the average one
CHARGED, SET = 20_000, 100
VIEWS = 15
LIMIT_MS = 100
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
COUNTRIES, SENDERS = ("US", "CA", "GB", "DE"), ("+14155550100", "+14155550101", "+18005550100")
PURPOSES = (("conversational_reply", ""), ("transactional", ""), *(("marketing", f"campaign {n}") for n in range(10)))
DAY_COLUMNS, TALK_COLUMNS = (*KEYS, *FIGURES, "is_folded"), (*TALK_KEYS, *TALK_FIGURES, "is_folded")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One engine's figures, in milliseconds."""

    engine: str
    rows: int
    views: dict[str, list[float]]
    charge_micros: float  # seconds of one text's charge, in millionths
    fold_ms: float


def measure(databases: Sequence[Database]) -> list[Measured]:
    return [of_engine(database) for database in databases]


def of_engine(database: Database) -> Measured:
    db = open_db(database.url)
    try:
        rows = db.run_blocking(fill)
        views = {name: [timed(db, look) for _ in range(VIEWS)] for name, look in looks().items()}
        fold_ms = timed(db, fold_all)
        started = perf_counter()
        for start in range(0, CHARGED, SET):
            db.run_blocking(ledger.charge, [a_charge(n) for n in range(start, start + SET)])
        spent = perf_counter() - started
        found = sum(row.figures.charges for row in db.run_blocking(view, "gym", by=("kind",), since=FIRST, until=LAST))
    finally:
        db.close_blocking()
    if found != TEXTS + NEW + CHARGED:
        raise RuntimeError(f"{database.name}: the sums have {found:,} charges, not {TEXTS + NEW + CHARGED:,}.")
    return Measured(engine=database.name, rows=rows, views=views, charge_micros=spent / CHARGED * 1e6, fold_ms=fold_ms)


def looks() -> dict[str, Callable[[Connection], Any]]:
    def by(*names: str) -> Callable[[Connection], Any]:
        return lambda conn: view(conn, "gym", by=names, since=FIRST, until=LAST)

    found = {f"by {name}": by(name) for name in ("day", "month", "country", "sender", "campaign", "model")}
    found["by month, country and campaign"] = by("month", "country", "campaign")
    found["by country, from 10 January to 20 December"] = lambda conn: view(
        conn, "gym", by=("country",), since=date(2026, 1, 10), until=date(2026, 12, 20)
    )
    found["the 20 dearest conversations"] = lambda conn: dearest_talks(conn, "gym", "2026", 20)
    found["the same of one month"] = lambda conn: dearest_talks(conn, "gym", "2026-06", 20)
    return found


def timed(db: Db, look: Callable[[Connection], Any]) -> float:
    started = perf_counter()
    db.run_blocking(look)
    return (perf_counter() - started) * 1e3


def fold_all(conn: Connection) -> None:
    while sums.fold(conn):
        pass


def a_charge(n: int) -> Charge:
    at = datetime(2026, 12, 31, 12, tzinfo=UTC)
    return Charge(
        of_id=f"txt_{n:022x}", kind=Kind.SMS_OUT, line="gym", at=at, conversation_id=f"cnv_{n % CONVERSATIONS}",
        country="US", sender=SENDERS[0], purpose="conversational_reply", estimate_micros=12_800, carrier_micros=4_500,
        look_at=at + timedelta(minutes=5),
    )  # fmt: skip


def fill(conn: Connection) -> int:
    """The sums of a year, and a busy minute that is not folded yet; gives how many rows there are."""
    days, talks = list(day_rows()), list(talk_rows())
    write(conn, "charge_days", DAY_COLUMNS, days)
    write(conn, "charge_talks", TALK_COLUMNS, talks)
    conn.exec_driver_sql("ANALYZE")
    return len(days) + len(talks)


def day_rows() -> Iterator[tuple[Any, ...]]:
    keys = [("sms_out", c, s, p, k, "") for c in COUNTRIES for s in SENDERS for p, k in PURPOSES]
    keys += [("sms_in", c, s, "inbound", "", "") for c in COUNTRIES for s in SENDERS]
    keys += [("model", c, s, "conversational_reply", "", "gpt-6-luna") for c in COUNTRIES for s in SENDERS]
    luck, left = random.Random(7), TEXTS
    whole = 365 * len(keys)
    months: dict[tuple[Any, ...], int] = {}
    for n in range(365):
        day = (FIRST + timedelta(days=n)).isoformat()
        of_kind = dict.fromkeys(("sms_out", "sms_in", "model"), 0)
        for k, key in enumerate(keys):
            is_last = n * len(keys) + k == whole - 1
            count = left if is_last else min(left, luck.randrange(2 * TEXTS // whole))
            left -= count
            of_kind[key[0]] += count
            months[day[:7], key] = months.get((day[:7], key), 0) + count
            yield day_row(day, key, count, is_folded=True)
        for kind in ("sms_out", "sms_in", "model"):
            yield day_row(day.replace("-", ""), (kind, "", "", "", "", ""), of_kind[kind], is_folded=True)
    for (month, key), count in months.items():
        yield day_row(month, key, count, is_folded=True)
    for _ in range(NEW):
        yield day_row("2026-12-31", luck.choice(keys), 1, is_folded=False)


def day_row(period: str, key: tuple[Any, ...], count: int, *, is_folded: bool) -> tuple[Any, ...]:
    kind, country, sender, purpose, campaign, model = key
    cost = 12_800 * count
    figures = (count, count, cost, cost, -count, 0, 0, 0, 0, 0, 0)
    return ("gym", period, kind, country, sender, purpose, campaign, model, "USD", *figures, is_folded)


def talk_rows() -> Iterator[tuple[Any, ...]]:
    luck = random.Random(8)
    for n in range(CONVERSATIONS):
        first, year = luck.randrange(1, 13 - MONTHS_EACH), 0
        for month in range(first, first + MONTHS_EACH):
            cost = luck.randrange(1, 400_000)
            year += cost
            yield ("gym", f"2026-{month:02}", f"cnv_{n}", "USD", 11, cost, 0, True)
        yield ("gym", "2026", f"cnv_{n}", "USD", 11 * MONTHS_EACH, year, 0, True)
    for _ in range(NEW):
        yield ("gym", "2026-12", f"cnv_{luck.randrange(CONVERSATIONS)}", "USD", 1, 12_800, 0, False)


def write(conn: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    names = ", ".join(columns)
    if conn.dialect.name == "postgresql":
        cursor = conn.connection.cursor()
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    raw(conn).executemany(f"INSERT INTO {table} ({names}) VALUES ({','.join('?' * len(columns))})", rows)


def table(measured: Sequence[Measured]) -> str:
    head = "| costs of a year of 10 million texts | " + " | ".join(each.engine for each in measured) + " |"
    rows = [head, "|---|" + "---:|" * len(measured)]
    for name in measured[0].views:
        figures = (f"{median(each.views[name]):.1f} ms (worst {max(each.views[name]):.0f})" for each in measured)
        rows.append(f"| {name} | " + " | ".join(figures) + " |")
    of_all: dict[str, Callable[[Measured], str]] = {
        "rows of sums": lambda each: f"{each.rows:,}",
        f"folding {NEW:,} changes of days and as many of conversations": lambda each: f"{each.fold_ms:.0f} ms",
        f"a text's charge and sums, in sets of {SET}": lambda each: f"{each.charge_micros:.0f} µs",
    }
    rows += [f"| {name} | " + " | ".join(map(of_each, measured)) + " |" for name, of_each in of_all.items()]
    return "\n".join(rows)


def aims(measured: Sequence[Measured]) -> list[str]:
    found = []
    for each in measured:
        name, took = max(((name, median(times)) for name, times in each.views.items()), key=lambda pair: pair[1])
        is_met = "met" if took <= LIMIT_MS else "missed"
        found.append(
            f"costs on {each.engine}: the slowest view ({name}) {took:.0f} ms, aim at most {LIMIT_MS}: {is_met}"
        )
    return found
