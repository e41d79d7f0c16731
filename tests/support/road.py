"""The road without a server: texts are received, turns are taken by the real worker, replies wait in the queue."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from replyline.clock import FakeClock
from replyline.conversations.media_store import FolderStore
from replyline.db import Db
from replyline.db.tables import steps, texts, turns
from replyline.inbound.receive import Received, receive
from replyline.llm.prompt import Answer, Prompt, ToolCall, Usage
from replyline.plugins.line import Line
from replyline.turns import schedule
from replyline.turns.take_turn import TakeTurn
from replyline.work.worker import Pool, Worker
from tests.support.cast import ANA, an_arrival

Said = Answer | Exception | Callable[[Prompt], Awaitable[Answer]]


def says(text: str, *, finish: Any = "stop") -> Answer:
    """The model answers with a text."""
    return Answer(text=text, calls=(), finish=finish, usage=USAGE, message=json.dumps({"says": text}))


def calls(*wanted: tuple[str, dict[str, Any]]) -> Answer:
    """The model wants actions."""
    made = tuple(
        ToolCall(id=f"call_{n}", name=name, arguments=json.dumps(args)) for n, (name, args) in enumerate(wanted)
    )
    return Answer(text="", calls=made, finish="tool_call", usage=USAGE, message=json.dumps({"calls": len(made)}))


USAGE = Usage(model="test-1", input_tokens=100, output_tokens=10, cost_micros=7)


@dataclass
class FixedModel:
    """Gives these answers in order, and remembers what it was shown. An exception is raised instead."""

    answers: list[Said]
    seen: list[Prompt] = field(default_factory=list)
    name: str = "test-1"

    async def answer(self, prompt: Prompt) -> Answer:
        self.seen.append(prompt)
        said = self.answers.pop(0)
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Answer) else await said(prompt)

    async def close(self) -> None:
        pass


@dataclass
class Road:
    db: Db
    clock: FakeClock
    line: Line
    model: FixedModel
    media_dir: Path
    hears: bool = False

    def worker(self) -> Worker:
        take_turn = TakeTurn(
            db=self.db,
            clock=self.clock,
            line=self.line,
            model=self.model,
            store=FolderStore(self.media_dir),
            secret=b"secret",
            hears=self.hears,
        )
        return Worker(self.db, self.clock, [Pool(kinds={schedule.KIND: take_turn}, at_once=20)])

    async def text(self, body: str, *, phone: str = ANA, **given: Any) -> Received:
        return await self.db.gather(
            receive, an_arrival(body, line=self.line, phone=phone, at=self.clock.now(), **given)
        )

    async def work(self, seconds: float = 10) -> None:
        """Let the debounce pass and everything that is due be done."""
        self.clock.advance(seconds=seconds)
        await self.worker().work_until_idle()

    def replies(self, phone: str = ANA) -> list[str]:
        return [row.body for row in self.rows(texts) if not row.is_inbound and row.phone == phone]

    def steps(self) -> list[tuple[str, str]]:
        return [(row.kind, row.state) for row in sorted(self.rows(steps), key=lambda row: row.position)]

    def outcomes(self) -> list[tuple[str, str]]:
        return [(row.state, row.outcome) for row in sorted(self.rows(turns), key=lambda row: row.created_at)]

    def rows(self, table: Any) -> Sequence[Any]:
        return self.db.run_blocking(lambda conn: conn.execute(select(table)).all())
