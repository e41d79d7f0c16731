"""The road out: texts are queued, a worker sends them, and a simulated Twilio delivers."""

import pytest
from sqlalchemy import select

from replyline.db.tables import texts
from replyline.inbound.delivery_report import DeliveryReport, report
from replyline.outbound.picture_links import PictureLinks
from replyline.outbound.queue import KIND
from replyline.outbound.say import say
from replyline.outbound.send import Send
from replyline.rules.facts import Purpose
from replyline.rules.rulebook import read_rulebook
from replyline.simulator import INSTANT, SimulatedTwilio
from replyline.twilio.client import TwilioClient
from replyline.work.worker import Pool, Worker
from tests.support.agreed import agree
from tests.support.cast import ANA, CLEO, GYM_NUMBER, a_line

SECRET = b"secret"
LINKS = PictureLinks(public_url="https://sms.example.com", secret=SECRET)
REPLY = Purpose.CONVERSATIONAL_REPLY


class Post:
    """A queue, a worker that sends, and a simulated Twilio that delivers."""

    def __init__(self, db, clock, twilio, client, line):
        self.db, self.clock, self.twilio, self.client, self.line = db, clock, twilio, client, line
        self._phones = {number: twilio.phone(number) for number in (ANA, CLEO)}
        self._send = Send(
            db=db,
            clock=clock,
            line=line,
            book=read_rulebook(),
            twilio=client,
            status_url="http://127.0.0.1:9/status",
            links=LINKS,
            secret=SECRET,
        )

    def say(self, body="See you at six.", *, to=ANA, **given):
        if given.get("purpose") is not REPLY:
            self.db.run_blocking(agree, given.get("line", "gym"), to, self.clock.now())
        queued = {"line": "gym", "our_address": GYM_NUMBER, "purpose": Purpose.TRANSACTIONAL, "now": self.clock.now()}
        return self.db.run_blocking(say, **queued | {"phone": to, "body": body} | given)

    async def work(self, seconds=0.0):
        self.clock.advance(seconds=seconds)
        await Worker(self.db, self.clock, [Pool(kinds={KIND: self._send}, at_once=50)]).work_until_idle()

    def phone(self, number=ANA):
        return self._phones[number]

    def screen(self, phone=ANA):
        return self.phone(phone).screen

    def row(self, text_id):
        return self.db.run_blocking(lambda conn: conn.execute(select(texts).where(texts.c.id == text_id)).one())

    def status(self, text_id):
        return self.row(text_id).status

    def report(self, status, *, text_id=None, sid, error_code=None):
        """Twilio's callback: about this message, with our id in its URL."""
        each = DeliveryReport(
            sid=sid,
            text_id=text_id,
            status=status,
            error_code=error_code,
            fields={},
            received_at=self.clock.now(),
            line=self.line,
        )
        return self.db.run_blocking(report, [each])

    def rows(self, table):
        return self.db.run_blocking(lambda conn: conn.execute(select(table)).all())


@pytest.fixture
async def make_post(db, clock):
    twilio = SimulatedTwilio(clock=clock, delivery=INSTANT)
    twilio.add_number(GYM_NUMBER)
    clients = []
    async with twilio.serving() as url:

        def make(*, page=100, most_pages=10, **given):
            client = TwilioClient(
                account_sid=twilio.account_sid,
                username=twilio.account_sid,
                password=twilio.auth_token,
                url=url,
                page=page,
                most_pages=most_pages,
            )
            clients.append(client)
            return Post(db, clock, twilio, client, a_line(**given))

        yield make
        for client in clients:
            await client.close()


@pytest.fixture
def post(make_post):
    return make_post()
