"""What reads a stored text later on: none of it may stumble over what a stranger wrote."""

import json
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter
from pydantic_ai.messages import ModelMessage
from sqlalchemy import select

from replyline.conversations.segments import measure
from replyline.db.tables import turns
from replyline.examples.gym import line
from replyline.llm.fixed import an_answer
from replyline.llm.messages import as_messages
from replyline.llm.prompt import Answer, Prompt, Record, Said, Texts, ToolCall
from replyline.phone_numbers import country_of, masked, sender_kind
from replyline.rules.keywords import hear, twilio_answers
from replyline.turns.clean import EmojiPolicy, clean
from replyline.turns.draft import body_of
from replyline.turns.schedule import due_for
from replyline.turns.states import Draft
from replyline.turns.text_triggers import find_triggers
from tests.support.road import Road

ASKED = TypeAdapter(list[ModelMessage])


def read_all(rows: Iterable[Any]) -> None:
    """Everything that a text goes through after it was stored, but the database."""
    for row in rows:
        kind = sender_kind(row.our_address)
        heard = hear(row.body, kind)
        assert heard is None or twilio_answers(heard.word, kind, row.opt_out_type) in {True, False}
        assert measure(row.body).segments >= 1
        assert due_for(line, row.body, row.created_at) > row.created_at
        find_triggers(row.body[:8000])
        clean(row.body[:8000], emoji=EmojiPolicy.AUTO)
        body_of(Draft(text=row.body[:8000], calls=(), finish="stop", message=""), line)
        country_of(row.phone)
        bare = row.phone.rpartition(":")[2]
        assert len(bare) < 4 or bare not in masked(row.phone), row.phone
        shown = [
            Said(by="contact", text=row.body),
            Record(data={"name": row.phone} | (row.fields or {})),
            Texts(texts=(row.body,)),
        ]
        json.loads(ASKED.dump_json(as_messages(shown, sees_pictures=True)))


class Parrot:
    """Answers with what it was told, or asks for an action of that name: what a stranger wrote, from the model's mouth."""

    name = "parrot"

    def __init__(self) -> None:
        self._asked = 0

    async def answer(self, prompt: Prompt) -> Answer:
        as_messages(prompt.turns, sees_pictures=True)
        self._asked += 1
        heard = "\n".join(text for part in prompt.turns if isinstance(part, Texts) for text in part.texts) or "?"
        has_acted = any(not isinstance(part, Said | Record | Texts) for part in prompt.turns)
        if self._asked % 3 == 0 and not has_acted:
            names = [heard[:90], *line.actions]
            call = ToolCall(
                id=heard[:20], name=names[self._asked % len(names)], arguments=json.dumps({"service": heard})
            )
            return an_answer(calls=(call,))
        return an_answer(f"{heard} indeed")

    async def close(self) -> None:
        pass


ENDS = {"answered", "dropped", "empty", "too_many_rounds", "asked_person"}


async def take_all_turns(target: Any, folder: Any) -> int:
    """Let every conversation be answered; gives how many turns there were."""
    app, clock = target.app, target.clock
    worker = Road(app.db, clock, line, Parrot(), folder).worker()  # type: ignore[arg-type]
    before = await app.db.run(turns_so_far)
    for _ in range(30):  # pictures are waited for, and loops rest for some minutes
        clock.advance(seconds=30)
        await worker.work_until_idle(rounds=100_000)
    after = await app.db.run(turns_so_far)
    new = {turn_id: row for turn_id, row in after.items() if turn_id not in before}
    bad = [row for row in new.values() if row.outcome not in ENDS]
    assert not bad, f"these turns ended badly: {bad[:3]}"
    return len(new)


def turns_so_far(conn: Any) -> dict[str, Any]:
    return {row.id: row for row in conn.execute(select(turns.c.id, turns.c.state, turns.c.outcome, turns.c.why))}
