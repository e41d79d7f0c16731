"""A server of ours without a socket: every request goes in as ASGI, and everything it leaves behind is looked at."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import func, insert, select

from replyline.app import App, wire
from replyline.clock import FakeClock
from replyline.conversations import store
from replyline.conversations.delivery import NEXT, Status
from replyline.db.migrate import migrate
from replyline.db.tables import metadata, texts
from replyline.desk import migrations_of
from replyline.examples.gym import line
from replyline.inbound.limits import PerAddress
from replyline.inbound.webhooks import SID
from replyline.settings import read_settings
from tests.hostile.people import ACCOUNT, OURS, PHONE, PUBLIC, SIGN_UP_SECRET, TOKEN
from tests.hostile.requests import FALLBACK, SMS, STATUS, Hostile, sent_id, sent_sid

START = "2026-03-02 18:00 UTC"
ON_THEIR_WAY = 100
STATES = ("sent", "unknown", "delivered", "sending", "sent", "failed", "undelivered", "queued")
WITHOUT_SID = {"unknown", "sending", "queued"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    case: Hostile
    status: int  # 0: none was given
    content_type: str = ""


@dataclass
class Target:
    app: App
    web: Any
    clock: FakeClock
    limit: PerAddress
    tally: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def ask(self, case: Hostile) -> Answer:
        """Send one request, as the server would hand it over."""
        messages = messages_of(case)

        async def receive() -> dict[str, Any]:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": case.method, "scheme": "http",
            "path": unquote(case.path), "raw_path": case.path.encode(), "root_path": "", "query_string": case.sent_query,
            "headers": case.sent_headers, "client": (case.client, 40000), "server": ("127.0.0.1", 8000),
        }  # fmt: skip
        await self.web(scope, receive, send)
        starts = [message for message in sent if message["type"] == "http.response.start"]
        assert len(starts) <= 1, case.replay()
        if not starts:
            return Answer(case=case, status=0)
        headers = dict(starts[0]["headers"])
        return Answer(case=case, status=starts[0]["status"], content_type=headers.get(b"content-type", b"").decode())

    async def ask_all(self, cases: Sequence[Hostile]) -> list[Answer]:
        """Send requests, many at a time; no answer may be an error of ours."""
        answers = []
        for start in range(0, len(cases), 50):
            some = cases[start : start + 50]
            for case, got in zip(some, await asyncio.gather(*map(self.ask, some), return_exceptions=True), strict=True):
                assert not isinstance(got, BaseException), f"{got!r} from {case.replay()}"
                assert got.status < 500, f"{got.status} from {case.replay()}"
                assert got.status or case.leaves_early, f"no answer to {case.replay()}"
                if unquote(case.path) in (SMS, STATUS, FALLBACK):
                    assert "text/plain" not in got.content_type, f"Twilio would text this: {case.replay()}"
                for kind in case.made_by:
                    self.tally[kind, got.status] += 1
                answers.append(got)
        return answers

    async def must_leave_no_trace(self, cases: Sequence[Hostile]) -> None:
        """What is not Twilio's changes nothing that is stored."""
        before = await self.app.db.run(everything)
        for got in await self.ask_all(cases):
            assert got.status not in {200, 201} or got.case.path.endswith("z"), (
                f"taken for Twilio's: {got.case.replay()}"
            )
        assert await self.app.db.run(everything) == before, f"one of these was stored: {[c.replay() for c in cases]}"

    async def must_be_kept_right(self, cases: Sequence[Hostile]) -> None:
        """What is Twilio's is stored once, as it was said, or refused for what it lacks; reports move texts forward."""
        before = await self.app.db.run(outbound)
        known = await self.app.db.run(stored, [case.sid for case in cases])
        answers = await self.ask_all(cases)
        for got in answers:
            assert got.status in {200, 400}, f"{got.status} to what Twilio has signed: {got.case.replay()}"
        kept = [got.case for got in answers if got.status == 200]
        came = [case for case in kept if case.path != STATUS]
        rows = await self.app.db.run(stored, [case.sid for case in came])
        for case in came:
            [row] = rows[case.sid]  # once
            same = [other for other in came if other.sid == case.sid]
            is_news = case.sid not in known and row.is_inbound  # a report may have given a text of ours this SID
            assert not is_news or any(is_as_said(row, other) for other in same), f"{row} from {case.replay()}"
        check_moves(before, await self.app.db.run(outbound), [case for case in kept if case.path == STATUS])


def messages_of(case: Hostile) -> list[dict[str, Any]]:
    body, size = case.sent_body, max(1, -(-len(case.sent_body) // case.parts))
    if case.leaves_early:
        return [{"type": "http.request", "body": body[: len(body) // 2], "more_body": True}]
    pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    return [{"type": "http.request", "body": piece, "more_body": n < len(pieces) - 1} for n, piece in enumerate(pieces)]


def everything(conn: Any) -> Any:
    """How much there is in every table, and where our texts are."""
    return {
        t.name: conn.execute(select(func.count()).select_from(t)).scalar() for t in metadata.sorted_tables
    }, outbound(conn)


def outbound(conn: Any) -> dict[str, Any]:
    rows = conn.execute(select(texts).where(texts.c.id.like("txt_0000%"))).all()
    return {row.id: row for row in rows}


def stored(conn: Any, sids: Sequence[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in conn.execute(select(texts).where(texts.c.sid.in_(sids))):
        found.setdefault(row.sid, []).append(row)
    return found


def is_as_said(row: Any, case: Hostile) -> bool:
    """Whether the row holds what the request said: the same on either engine."""
    said = case.said
    read_back = json.loads(json.dumps(row.fields))
    return (
        (row.body, row.phone, row.our_address) == (said.get("Body", ""), said.get("From"), said.get("To"))
        and read_back == row.fields
        and all(said.get(name) == value for name, value in row.fields.items())
    )


def check_moves(before: dict[str, Any], after: dict[str, Any], reports: Sequence[Hostile]) -> None:
    """No report moves a text backwards, or one that it is not about."""
    about = {case.sid for case in reports}
    ours = {case.text_id for case in reports}
    assert before.keys() == after.keys()
    for text_id, was in before.items():
        now = after[text_id]
        if (was.status, now.status) == ("queued", "canceled"):
            continue  # a report said that Twilio holds an opt-out of this person
        if was.sid not in about and not (was.sid is None and text_id in ours):
            assert now == was, f"{text_id} was moved by reports that are not about it"
            continue
        assert (now.body, now.phone, now.line, now.created_at) == (was.body, was.phone, was.line, was.created_at)
        assert was.sid in (None, now.sid), f"{text_id} got another SID"
        assert SID.fullmatch(now.sid or "SM" + "0" * 32)
        # A callback for a text without a SID proves that Twilio has it, whatever we had thought of it.
        began = Status.SENT if was.sid is None and now.sid else Status(was.status)
        assert Status(now.status) in reachable(began), f"{text_id} went from {was.status} to {now.status}"


def reachable(status: Status) -> set[Status]:
    """Where reports may bring a text from here."""
    found, new = {status}, [status]
    while new:
        new = [to for each in new for to in NEXT[each] if to is not Status.QUEUED and to not in found]
        found.update(new)
    return found


@asynccontextmanager
async def a_target(database_url: str, folder: Path) -> AsyncIterator[Target]:
    """The example gym's server on a database, with a hundred texts on their way out."""
    await asyncio.to_thread(migrate, database_url, extra=migrations_of(line))
    settings = read_settings(
        {},
        dotenv=None,
        twilio_account_sid=ACCOUNT,
        twilio_auth_token=TOKEN,
        twilio_phone_number=OURS,
        public_url=PUBLIC,
        sign_up_secret=SIGN_UP_SECRET,
        database_url=database_url,
        media_dir=folder / "media",
    )
    clock = FakeClock(START)
    app = wire(settings, line, model=None, clock=clock)
    await app.db.run(send_some, clock)
    try:
        web = app.web()
        yield Target(app, web, clock, web._webhooks[SMS]._limit)
    finally:
        await app.close()


def send_some(conn: Any, clock: FakeClock) -> None:
    key = (line.key, PHONE, OURS)
    conversation = store.find_or_start(conn, [key], clock.now())[key]
    rows = [
        {
            "id": sent_id(n), "line": line.key, "conversation_id": conversation.id, "is_inbound": False,
            "sid": None if STATES[n % 8] in WITHOUT_SID else sent_sid(n), "phone": PHONE, "our_address": OURS,
            "body": "See you", "purpose": "transactional", "status": STATES[n % 8], "status_at": clock.now(),
            "created_at": clock.now(),
        }
        for n in range(ON_THEIR_WAY)
    ]  # fmt: skip
    conn.execute(insert(texts), rows)
