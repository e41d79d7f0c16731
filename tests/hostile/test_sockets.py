"""What a stranger can do with a connection alone: garbage, halves, heaps and patience."""

import asyncio
import contextlib
import random
import time

import pytest
from sqlalchemy import func, select

from replyline.db.tables import texts
from replyline.desk import bound_socket, server_config
from replyline.inbound.connection import PatientProtocol
from replyline.simulator.serve import InProcessServer
from tests.hostile import oracle
from tests.hostile.logs import logged, taken
from tests.hostile.people import MARK, PHONE, TOKEN
from tests.hostile.requests import SMS, Hostile, a_case, sign, text
from tests.hostile.run import resident
from tests.hostile.target import a_target
from tests.support.databases import only_on_sqlite

pytestmark = only_on_sqlite


class Hasty(PatientProtocol):
    """The same, with less patience."""

    HEAD_WITHIN, WITHIN, LOOK_EVERY = 0.4, 0.8, 0.05


class Server:
    def __init__(self, target, port, log):
        self.target, self.port, self.log = target, port, log
        self._later: list[bytes] = []

    def later(self, request: bytes) -> None:
        self._later.append(request)

    async def all_of_them(self) -> list[tuple[bytes, bytes]]:
        """Send what was put off, sixty at a time; gives each with its answer."""
        answers: list[bytes] = []
        while len(answers) < len(self._later):
            some = self._later[len(answers) : len(answers) + 60]
            answers += await asyncio.gather(*(self.send(each, within=1) for each in some))
        return list(zip(self._later, answers, strict=True))

    async def send(self, *pieces: bytes, pause: float = 0.0, within: float = 5.0) -> bytes:
        """Send bytes, and give what comes back until the server closes or says no more."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        got = b""
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(pause)
                async with asyncio.timeout(within):
                    while part := await reader.read(65536):
                        got += part
                        if not pause and got.endswith((b"</Error>", b"<Response/>", b"ok\n")):
                            break
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        return got

    async def is_well(self) -> bool:
        return (await self.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")).startswith(b"HTTP/1.1 200")

    async def texts(self) -> int:
        return await self.target.app.db.run(lambda conn: conn.execute(select(func.count()).select_from(texts)).scalar())


@pytest.fixture
async def server(database_url, tmp_path):
    async with a_target(database_url, tmp_path) as target:
        with logged() as log, bound_socket() as listening:
            served = InProcessServer(server_config(target.web, http=Hasty))
            serving = asyncio.create_task(served.serve(sockets=[listening]))
            while not served.started:
                await asyncio.sleep(0.01)
            yield Server(target, listening.getsockname()[1], log)
            served.stop.set()
            await serving
            assert "Traceback" not in (written := taken(log)), written
            assert not any(secret in written for secret in (MARK, TOKEN, PHONE[1:])), written


def on_the_wire(case: Hostile, *, chunked: bool = False, then: bytes = b"close") -> bytes:
    target = case.path.encode() + (b"?" + case.sent_query if case.sent_query else b"")
    head = b"%s %s HTTP/1.1\r\nhost: sms.example.test\r\nconnection: %s\r\n" % (case.method.encode(), target, then)
    head += b"".join(b"%s: %s\r\n" % header for header in case.sent_headers)
    if chunked:
        pieces = [case.sent_body[at : at + 100] for at in range(0, len(case.sent_body), 100)]
        return (
            head
            + b"transfer-encoding: chunked\r\n\r\n"
            + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
            + b"0\r\n\r\n"
        )
    return head + b"content-length: %s\r\n\r\n" % (b"%d" % len(case.sent_body)) + case.sent_body


def a_text() -> Hostile:
    case = text(random.Random(7), Hostile(number=0, seed=7, path=SMS))
    case.headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    case.signature = sign(case)
    return case


GARBAGE = (
    b"\x00" * 1000, b"\xff\xfe\xfd", b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    b"CONNECT evil.test:443 HTTP/1.1\r\nhost: x\r\n\r\n", b"GET http://evil.test/healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST /webhooks/twilio/sms HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    b"POST /webhooks/twilio/sms HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /webhooks/twilio/sms HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n",
    b"POST /webhooks/twilio/sms HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    b"POST /webhooks/twilio/sms HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"POST /webhooks/twilio/sms HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n a: folded\r\n\r\n", b"GET /healthz HTTP/1.1\nhost: x\n\n",
    b"get /healthz http/1.1\r\n\r\n",
    b"HEAD /webhooks/twilio/sms HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /%00 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"A" * 20_000 + b" / HTTP/1.1\r\n\r\n",
)  # fmt: skip


async def test_garbage_gets_no_error_of_ours_and_hurts_nobody_else(server):
    before = await server.texts()
    rng, wire = random.Random(1), on_the_wire(a_text())
    broken = [bytearray(wire[: rng.randrange(1, len(wire) - 1)]) for _ in range(200)]
    for each in broken:
        for _ in range(rng.randrange(5)):
            each[rng.randrange(len(each))] = rng.randrange(256)
    for garbage in (*GARBAGE, *map(bytes, broken)):
        server.later(garbage)
    for garbage, got in await server.all_of_them():
        assert not got.startswith(b"HTTP/1.1 5"), (garbage, got)
    assert await server.texts() == before
    assert await server.is_well()


async def test_hostile_requests_over_the_wire_are_never_errors(server):
    for number in range(400):
        server.later(on_the_wire(a_case(3, number), chunked=number % 2 == 0))
    for number, (_, got) in enumerate(await server.all_of_them()):
        assert not got.startswith(b"HTTP/1.1 5"), a_case(3, number).replay()
    assert await server.is_well()


async def test_a_text_is_stored_however_its_bytes_arrive(server):
    before = await server.texts()
    for chunked in (False, True):
        wire = on_the_wire(a_text(), chunked=chunked)
        pieces = [wire[at : at + 40] for at in range(0, len(wire), 40)]
        assert (await server.send(*pieces, pause=0.001, within=1)).endswith(b"<Response/>")
    assert await server.texts() == before + 1


async def test_requests_in_one_breath_are_answered_in_their_order(server):
    wire = on_the_wire(a_text(), then=b"keep-alive")
    ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    got = await server.send((wire + ask) * 20, within=2, pause=0.01)
    assert got.count(b"<Response/>") == got.count(b"ok\n") == 20
    assert got.index(b"<Response/>") < got.index(b"ok\n")


async def test_half_a_request_stores_nothing_and_is_let_go(server):
    before, wire = await server.texts(), on_the_wire(a_text())
    halves = [wire[: len(wire) * n // 10] for n in range(10)]
    began = time.monotonic()
    got = await asyncio.gather(*(server.send(half, within=5, pause=0.01) for half in halves))
    assert set(got) == {b""}
    assert time.monotonic() - began < 4
    assert await server.texts() == before


async def test_a_drop_at_a_time_does_not_hold_a_connection_for_ever(server):
    began = time.monotonic()
    wire = on_the_wire(a_text())
    head = wire.partition(b"\r\n\r\n")[0]
    slow_head = [head[at : at + 1] for at in range(30)]
    slow_body = [wire[:-40], *[wire[at : at + 1] for at in range(len(wire) - 40, len(wire))]]
    await asyncio.gather(*(server.send(*pieces, pause=0.1) for pieces in (slow_head, slow_body) for _ in range(100)))
    assert time.monotonic() - began < 8  # its 40 pieces at a tenth of a second, and not the end of them
    assert await server.is_well()


@pytest.mark.parametrize("of", [b"x-long: ", b"GET /healthz?x=", b"GET /", b"many"])
async def test_a_head_without_end_does_not_fill_the_memory(server, of):
    line = b"x-many: " + b"y" * 1000 + b"\r\n" if of == b"many" else b"z" * 65536
    start = of if of.startswith(b"GET") else b"GET /healthz HTTP/1.1\r\n" + (b"" if of == b"many" else of)
    before = resident()
    got = await server.send(start, *[line] * 2000, within=1)
    assert got == b"" or got.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
    assert resident() - before < 30
    assert await server.is_well()


async def test_a_body_without_end_does_not_fill_the_memory(server):
    head = b"POST /webhooks/twilio/sms HTTP/1.1\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n" % oracle.FORM
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    before = resident()
    got = await server.send(head, *[chunk] * 500, within=1)
    assert got == b"" or got.startswith(b"HTTP/1.1 413")
    assert resident() - before < 30
    assert await server.is_well()
