"""Reading the facts: by indexes alone, and counting what ended but once."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, func, select, text

from replyline.alerts import tallies
from replyline.costs.allowance import period_of
from replyline.db.columns import UtcTime
from replyline.db.tables import backfill_marks, budgets, texts, turns, work
from replyline.plugins.budgets import Per
from replyline.watch.facts import Facts, Used
from replyline.watch.findings import FOUND, IN_DOUBT, overdue

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHORTLY = timedelta(minutes=10)
OF_TURNS = timedelta(minutes=30)
# A report is stored within ten seconds of its coming (`webhooks.PATIENCE`): what is younger may not be there yet.
SETTLED = timedelta(seconds=15)
MINUTE = timedelta(minutes=1)


def gather(conn: Connection, now: datetime, zone: str = "UTC") -> Facts:
    """What there is to know now. Budgets have their days and months in a time zone."""
    count_new(conn, now)
    hour, shortly = tallies.since(conn, now - HOUR, now), tallies.since(conn, now - SHORTLY, now)
    yesterday = tallies.since(conn, now - HOUR - DAY, now - HOUR)
    unknown, unknown_since = conn.execute(IN_DOUBT).one()
    unread, tries = twilio(conn, now)
    before = tallies.last(conn, "unknown", now - SHORTLY)
    return Facts(
        delivered=hour.get("delivered", 0),
        undelivered=hour.get("undelivered", 0),
        failed=hour.get("failed", 0),
        errors=codes(hour),
        held={row.error_code: row.how_many for row in conn.execute(HELD)},
        opted_out_before=codes(yesterday).get(21610, 0) / (DAY / HOUR),
        texts_not_stored=shortly.get("texts_not_stored", 0),
        reports_not_stored=shortly.get("reports_not_stored", 0),
        wrongly_signed=shortly.get("wrongly_signed", 0),
        callbacks=hour.get("delivery_reports", 0),
        ends_found=hour.get("ends_found", 0),
        texts_found=conn.execute(FOUND, {"lately": now - HOUR}).scalar_one(),
        unknown=unknown,
        unknown_before=unknown if before is None else before,
        oldest_unknown=now - unknown_since if unknown_since else timedelta(0),
        given_up=hour.get("doubts_given_up", 0),
        turns_failed={row.outcome: row.how_many for row in conn.execute(FAILED, {"since": now - OF_TURNS})},
        turns_tried_again=conn.execute(TRIED_AGAIN).scalar_one(),
        due=overdue(conn, now),
        budgets=used(conn, now, zone),
        twilio_unread=unread,
        twilio_tries=tries,
    )


def count_new(conn: Connection, now: datetime) -> None:
    """Count the texts that have ended since the last count, by minutes that are over."""
    until = (now - SETTLED).replace(second=0, microsecond=0)
    counted = tallies.newest(conn, "counted")
    since = until - HOUR if counted is None else max(counted, until - HOUR)
    if since >= until:
        return
    counts = {"counted": 1, "unknown": conn.execute(IN_DOUBT).one()[0]}
    for row in conn.execute(ENDED, {"since": since, "until": until}):
        counts[row.status] = counts.get(row.status, 0) + row.how_many
        if row.error_code:
            counts[f"error {row.error_code}"] = counts.get(f"error {row.error_code}", 0) + row.how_many
    tallies.add(conn, counts, until)
    tallies.forget(conn, now)


def codes(counts: Mapping[str, int]) -> dict[int, int]:
    return {int(name.removeprefix("error ")): count for name, count in counts.items() if name.startswith("error ")}


def used(conn: Connection, now: datetime, zone: str) -> tuple[Used, ...]:
    """The budgets of which a threshold was reached. What one person may cost is the log's to tell."""
    periods = [period_of(per, zone, now)[0] for per in PERIODS]
    return tuple(
        Used(scope=row.scope, period=row.period, percent=row.alerted, micros=row.spent_micros + row.reserved_micros)
        for row in conn.execute(USED, {"periods": periods})
    )


def twilio(conn: Connection, now: datetime) -> tuple[timedelta, int]:
    """Since when Twilio's list was not read to its end, by the line that is worst off, and how many tries that took."""
    rows = conn.execute(UNREAD).all()
    worst = min(rows, key=lambda row: row.seen_until, default=None)
    return (now - worst.seen_until, worst.attempts) if worst else (timedelta(0), 0)


# The conditions of the indexes stand here as they stand there: with a parameter in its place SQLite reads the table.
HELD = (
    select(texts.c.error_code, func.count().label("how_many"))
    .where(text("status = 'queued' AND error_code IS NOT NULL"))
    .group_by(texts.c.error_code)
)
ENDED = (
    select(texts.c.status, texts.c.error_code, func.count().label("how_many"))
    .where(
        text("status IN ('delivered', 'undelivered', 'failed')"),
        texts.c.status_at >= bindparam("since", type_=UtcTime),
        texts.c.status_at < bindparam("until", type_=UtcTime),
    )
    .group_by(texts.c.status, texts.c.error_code)
)
FAILED = (
    select(turns.c.outcome, func.count().label("how_many"))
    .where(text("state = 'failed'"), turns.c.ended_at > bindparam("since", type_=UtcTime))
    .group_by(turns.c.outcome)
)
TRIED_AGAIN = (
    select(func.count()).select_from(work).where(work.c.kind == "turn", work.c.attempts >= 2, work.c.owner.is_(None))
)
PERIODS: tuple[Per, ...] = ("day", "month", "all")
USED = (
    select(budgets)
    .where(
        budgets.c.period.in_(bindparam("periods", expanding=True)),
        budgets.c.alerted > 0,
        budgets.c.scope.not_like("contact:%"),
    )
    .order_by(budgets.c.scope, budgets.c.period)
)
UNREAD = select(work.c.attempts, backfill_marks.c.seen_until).where(
    and_(work.c.kind == "backfill", backfill_marks.c.line == work.c.key, backfill_marks.c.our_address == "")
)
