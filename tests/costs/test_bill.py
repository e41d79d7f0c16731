"""Twilio's prices, late as they come, and its bill: in the end the ledger is the bill, to the micro-dollar."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from replyline.costs import bill, folding, polling, sums
from replyline.costs.bill import CompareBill
from replyline.costs.book import PriceBook
from replyline.costs.charge import Kind
from replyline.costs.folding import Fold
from replyline.costs.polling import AskPrices
from replyline.costs.prices import amount_of
from replyline.costs.views import view
from replyline.db.tables import charges, usage_days
from replyline.inbound.receive import receive
from replyline.outbound.queue import KIND as SEND
from replyline.simulator import BROKEN, Fate, Policy, Status, Tariff
from replyline.work.worker import Pool, Worker
from tests.support.cast import ANA, CLEO, GYM_NUMBER, an_arrival

FEES = {ANA: Decimal("0.0035"), CLEO: Decimal("0.0045")}  # of their carriers; our estimate takes the dearest
NO_ROUTE = Fate(status=Status.FAILED, error_code=30005)
EXPIRED = Fate(status=Status.FAILED, error_code=30036)


class Books:
    """A line that texts, and the jobs that keep its books."""

    def __init__(self, post):
        self.post, self.db, self.clock, self.twilio = post, post.db, post.clock, post.twilio
        self._compare = CompareBill(
            self.db, self.clock, post.client, line="gym", numbers=[GYM_NUMBER], prices=PriceBook()
        )
        self.jobs = {
            polling.KIND: AskPrices(self.db, self.clock, post.client),
            bill.KIND: self._compare,
            folding.KIND: Fold(self.db, self.clock),
        }
        for job in (polling, bill, folding):
            self.db.run_blocking(job.begin, self.clock.now())

    async def work(self, **passed):
        """Let time pass, and everything that is due be done."""
        self.clock.advance(**passed)
        pools = [Pool(kinds={SEND: self.post._send}, at_once=50), Pool(kinds=self.jobs, at_once=3)]
        await Worker(self.db, self.clock, pools).work_until_idle()
        await self.twilio.settle()

    async def send(self, body="See you at six.", *, to=ANA, fate=None, **given):
        """Text somebody, and hear from Twilio what became of it."""
        if fate:
            self.twilio.faults.next_messages(fate)
        text_id = self.post.say(body, to=to, **given)
        await self.work()
        message = self.twilio.message(self.post.row(text_id).sid)
        self.post.report(message.status.value, sid=message.sid, text_id=text_id, error_code=message.error_code)
        return message

    async def receive(self, body="Thanks!", *, phone=ANA):
        sid = await self.twilio.text_from_phone(from_=phone, to=GYM_NUMBER, body=body)
        segments = self.twilio.message(sid).segments
        arrival = an_arrival(body, phone=phone, sid=sid, segments=segments, at=self.clock.now(), line=self.post.line)
        self.db.run_blocking(receive, [arrival])
        return sid

    def charge(self, sid):
        from replyline.db.tables import texts

        def find(conn):
            of_text = select(charges).join(texts, texts.c.id == charges.c.of_id)
            return conn.execute(of_text.where(texts.c.sid == sid, charges.c.kind != "failed")).one()

        return self.db.run_blocking(find)

    def rows(self, *where):
        return self.db.run_blocking(lambda conn: conn.execute(select(charges).where(*where)).all())

    def ledger(self, since, until):
        """What the ledger has for these days, of texts and numbers, whoever they are for."""
        lines = ("gym", "")
        found = [self.db.run_blocking(view, line, by=("kind",), since=since, until=until) for line in lines]
        return sum(
            (amount_of(row.figures.cost_micros) for rows in found for row in rows if row.by[0] != "model"), Decimal()
        )


@pytest.fixture
def books(post):
    post.twilio.policy = Policy(tariff=Tariff(carrier_fee=FEES.get))
    return Books(post)


async def test_an_estimate_is_corrected_when_twilios_price_is_there(books):
    message = await books.send()
    assert books.charge(message.sid).price_micros is None
    await books.work(minutes=6)
    row = books.charge(message.sid)
    assert (row.estimate_micros, row.price_micros, row.look_at) == (12_800, 11_800, None)


async def test_a_price_that_is_late_is_asked_for_again_with_patience(books):
    books.twilio.policy = Policy(tariff=Tariff(carrier_fee=FEES.get, price_after=lambda _: 20 * 3600))
    message = await books.send()
    asked = []
    books.twilio.faults.of_requests.append(lambda request: asked.append(request.path) or None)
    await books.work(minutes=6)
    for _ in range(36):
        await books.work(hours=1)
    assert books.charge(message.sid).price_micros == 11_800
    looks = [path for path in asked if "/Messages" in path]
    assert len(looks) == 4  # after 5 minutes, an hour, 6 hours, a day


async def test_a_price_that_never_comes_leaves_the_estimate_and_is_said(books):
    books.twilio.policy = Policy(tariff=Tariff(price_after=lambda _: 1e9))
    message = await books.send()
    await books.work(hours=1)
    assert figures(books).unpriced == 1
    for _ in range(10):
        await books.work(hours=6)
    row = books.charge(message.sid)
    assert (row.price_micros, row.look_at) == (None, None)
    assert figures(books).unpriced == 0


def figures(books):
    [row] = books.db.run_blocking(view, "gym", by=(), since=date(2026, 3, 2), until=date(2026, 3, 2))
    return row.figures


async def test_many_prices_are_read_from_a_list_and_not_one_by_one(books):
    for n in range(polling.FEW + 5):
        books.post.say(f"text {n}", to=ANA if n % 2 else CLEO)
    for _ in range(8):
        await books.work(seconds=30)
    assert len(books.rows(charges.c.price_micros.is_(None))) == polling.FEW + 5
    asked = []
    books.twilio.faults.of_requests.append(lambda request: asked.append(request.path) or None)
    await books.work(minutes=7)
    assert all(row.price_micros for row in books.rows(charges.c.kind == "sms_out"))
    assert [path.rpartition("/")[2] for path in asked if "/Messages" in path] == ["Messages.json"]


async def test_twilio_being_away_puts_prices_off_and_loses_none(books):
    message = await books.send()
    books.twilio.faults.on_requests(BROKEN, path="/Messages/", times=2)
    await books.work(minutes=6)
    assert books.charge(message.sid).price_micros is None
    await books.work(hours=1)
    await books.work(hours=1)
    assert books.charge(message.sid).price_micros == 11_800


async def test_carrier_fees_are_not_counted_twice(books):
    await books.send("a" * 200)
    await books.receive()
    await books.work(minutes=6)
    await books.work(days=1)
    day = date(2026, 3, 2)
    assert books.rows(charges.c.kind == Kind.ADJUSTMENT) == []
    # Two segments out at 0.0083 and 0.0035 each, and one in.
    texts = amount_of(sum(row.price_micros for row in books.rows(charges.c.kind.in_(["sms_out", "sms_in"]))))
    assert texts == Decimal("0.0319")
    assert books.ledger(day, day) == books.twilio.bill(day, day) - Decimal("1.15")  # the rent is of the month


async def test_what_is_billed_and_not_ours_is_written_down_for_the_account(books):
    await books.send()
    day = date(2026, 3, 2)
    client = books.post.client
    from replyline.twilio.client import Outgoing

    other = Outgoing(
        to=CLEO, sender=GYM_NUMBER, messaging_service_sid=None, body="Another program's text", media_urls=[],
        status_callback="http://127.0.0.1:9/other",
    )  # fmt: skip
    await client.create(other)
    await books.twilio.settle()
    await books.work(minutes=6)
    await books.work(days=1)
    [row] = books.rows(charges.c.kind == Kind.ADJUSTMENT)
    assert (row.line, row.purpose, row.price_micros) == ("", "texts", 12_800)
    assert books.ledger(day, day) == books.twilio.bill(day, day) - Decimal("1.15")


async def test_a_refund_is_found_and_its_day_is_the_bills_again(books):
    message = await books.send()
    await books.work(minutes=6)
    await books.work(days=2)
    books.twilio.refund(message.sid)
    await books.work(days=1)
    assert books.charge(message.sid).price_micros == 0
    assert books.rows(charges.c.kind == Kind.ADJUSTMENT) == []


@pytest.mark.long
async def test_a_month_with_late_prices_failures_and_refunds_ends_as_the_bill_to_the_micro_dollar(make_post):
    post = make_post(page=50)

    def lateness(message):
        hours = (0.05, 0.5, 3, 20, 70)  # the last after we have given up: only the bill tells
        return hours[(message.created_at.day * 3 + message.segments) % 5] * 3600

    post.twilio.policy = Policy(tariff=Tariff(carrier_fee=FEES.get, price_after=lateness))
    books = Books(post)
    books.clock.set(datetime(2026, 3, 1, 18, 0, tzinfo=UTC))
    fates = [None, None, NO_ROUTE, None, EXPIRED, Fate(status=Status.UNDELIVERED, error_code=30003), None]
    sent = []
    for n in range(31):
        for k in range(2):
            to, body = (ANA, CLEO)[(n + k) % 2], "a" * (50 + 150 * k)
            sent.append(await books.send(body, to=to, fate=fates[(n * 2 + k) % 7]))
        await books.receive("b" * (1 + n * 11), phone=(ANA, CLEO)[n % 2])
        if n % 6 == 5:
            books.twilio.refund(sent[n].sid)
        await books.work(hours=12)
        await books.work(hours=12)
    for _ in range(8):
        await books.work(hours=12)
    first, last = date(2026, 3, 1), date(2026, 3, 31)
    billed = books.twilio.bill(first, last)
    assert billed > Decimal("2.2")
    assert books.ledger(first, last) == billed
    for n in range(31):
        day = date(2026, 3, 1) + timedelta(days=n)
        rent = sum(amount_of(row.price_micros or row.estimate_micros or 0) for row in of_day(books, day, rent=True))
        assert books.ledger(day, day) - rent == books.twilio.bill(day, day) - rented(day), day
    # Prices did come late, and were known one by one in the end: nothing was left to an adjustment of the texts.
    assert [
        row for row in books.rows(charges.c.kind == Kind.ADJUSTMENT) if row.purpose == "texts" and row.price_micros
    ] == []
    assert books.db.run_blocking(lambda conn: conn.execute(select(func.count()).select_from(usage_days)).scalar()) > 100
    books.db.run_blocking(sums.fold)
    assert books.ledger(first, last) == billed


def of_day(books, day, *, rent):
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    of_rent = (charges.c.kind == "rent") | ((charges.c.kind == "adjustment") & (charges.c.purpose == "rent"))
    return books.rows(charges.c.at >= start, charges.c.at < start + timedelta(days=1), of_rent)


def rented(day):
    return Decimal("1.15") if day == date(2026, 3, 2) else Decimal()
