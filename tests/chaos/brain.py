"""The model: books once in each turn, then says which texts it has read. It fails when told to."""

import asyncio
import re
from collections import Counter
from random import Random

from tests.llm.openai_wire import Asked, Call, Reply

RECORD_END = "</contact_record>"
SHARE_OF_FAILURES = 0.08
FAILURES = {
    "429": Reply(status=429, headers={"Retry-After": "1"}),
    "500": Reply(status=500),
    "broken": Reply(raw=b'{"id": "chatcmpl-1", "object": "chat.comp'),
    "dropped": Reply(is_dropped=True),
}
TAG = re.compile(r"\(\d+\.\d+\)")


class Brain:
    """Knows which process asks, by its key, so that it sees when two work at one conversation."""

    def __init__(self, seed: int, *, fails: bool) -> None:
        self.overlapped: list[str] = []
        self.answers = 0
        self.failures: Counter[str] = Counter()
        self._random = Random(f"{seed} model")
        self._fails = fails
        self._open: dict[int, Counter[str]] = {}  # by guest: the keys of those who wait for an answer
        self._dead: set[str] = set()

    def has_died(self, key: str) -> None:
        """Nobody waits any more for what was asked with this key."""
        self._dead.add(key)
        for waiting in self._open.values():
            waiting.pop(key, None)

    async def __call__(self, asked: Asked) -> Reply:
        key = asked.headers["Authorization"].removeprefix("Bearer ")
        guest = int(re.findall(r"guest (\d+)", "\n".join(asked.said_by("user")))[-1])
        waiting = self._open.setdefault(guest, Counter())
        if key not in self._dead:
            waiting[key] += 1
            if waiting.total() > 1:
                self.overlapped.append(f"guest {guest}: {dict(waiting)}")
        try:
            return await self._answer(asked, guest)
        finally:
            if waiting[key] > 0:
                waiting[key] -= 1

    async def _answer(self, asked: Asked, guest: int) -> Reply:
        await asyncio.sleep(self._random.uniform(0.05, 0.6))
        if self._fails and self._random.random() < SHARE_OF_FAILURES:
            name = self._random.choice(["429", "500", "slow", "broken", "dropped"])
            self.failures[name] += 1
            if name != "slow":
                return FAILURES[name]
            await asyncio.sleep(self._random.uniform(2, 8))
        self.answers += 1
        texts, has_acted = this_turn(asked)
        if not has_acted:
            return Reply(calls=[Call("book_class", {"guest": guest})])
        return Reply(text=f"You're booked, guest {guest}. I read {' '.join(TAG.findall(texts))}.")


def this_turn(asked: Asked) -> tuple[str, bool]:
    """What the person wrote in this turn, which begins with their record, and whether the action has been called in it."""
    first = max(n for n, turn in enumerate(asked.turns) if turn.role == "user" and RECORD_END in turn.text)
    turns = asked.turns[first:]
    said = [turn.text for turn in turns if turn.role == "user"]
    texts = "\n".join([said[0].rpartition(RECORD_END)[2], *said[1:]])
    return texts, any(turn.role == "output" for turn in turns)
