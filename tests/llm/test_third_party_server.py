"""A whole turn against an OpenAI-compatible server that is not ours: llmock, which has a mind of its own about the wire."""

import sys
from pathlib import Path

import aiohttp
import pydantic_ai.models
import pytest

from replyline import ActionContext
from replyline.desk import open_desk
from replyline.llm.models import build_model
from tests.support.cast import a_line
from tests.support.processes import Running, answers, bare_environment, free_port, spawn

pytestmark = pytest.mark.process

WIRES = {"openai-chat:gpt-test": "/v1/chat/completions", "openai:gpt-test": "/v1/responses"}
both_wires = pytest.mark.parametrize("model", WIRES, ids=["chat", "responses"])

FIND, BOOK = {"name": "find_class", "arguments": {"kind": "yoga"}}, {"name": "book_class", "arguments": {"hour": 18}}
DONE = {"type": "reply", "text": "You're booked for yoga at 6pm."}
ONE_BY_ONE = [{"type": "reply", "tool_calls": [FIND]}, {"type": "reply", "tool_calls": [BOOK]}, DONE]
TOGETHER = [{"type": "reply", "tool_calls": [FIND, BOOK]}, DONE]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where llmock listens. It may be slow to start: the first test waits for it."""
    folder, port = tmp_path_factory.mktemp("llmock"), free_port()
    command = [str(Path(sys.executable).with_name("llmock")), "serve", "--port", str(port)]
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        running = Running(spawn(command, folder, bare_environment(), out, log), folder / "out", folder / "log")
    yield f"http://127.0.0.1:{port}", running
    running.kill()


class Script:
    """llmock's control side."""

    def __init__(self, url, session):
        self.url, self._session = url, session

    async def plays(self, *behaviors):
        async with self._session.post(f"{self.url}/_llmock/scenario", json={"behaviors": behaviors}) as response:
            assert response.ok, await response.text()

    async def ask(self, about):
        async with self._session.get(f"{self.url}/_llmock/{about}") as response:
            return await response.json()

    async def paths(self):
        return [request["path"] for request in (await self.ask("requests"))["requests"]]


@pytest.fixture
async def script(address, monkeypatch):
    monkeypatch.setattr(pydantic_ai.models, "ALLOW_MODEL_REQUESTS", True)  # it is on this machine
    url, running = address
    await answers(f"{url}/health", running)
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{url}/_llmock/reset"):
            pass
        yield Script(url, session)


@pytest.fixture
def gym():
    gym = a_line(settle=0.05)
    gym.done = []

    @gym.action
    async def find_class(ctx: ActionContext, kind: str) -> str:
        """When there is a class."""
        gym.done.append(("find", kind))
        return "18:00"

    @gym.action
    async def book_class(ctx: ActionContext, hour: int) -> str:
        """Book the class."""
        gym.done.append(("book", hour))
        return "booked"

    return gym


async def reply_to(words, gym, script, model):
    built = build_model(model=model, api_key="anything", base_url=f"{script.url}/v1")
    async with open_desk(gym, model=built) as desk:
        phone = desk.phone()
        await phone.text(words)
        return await phone.next_reply(timeout=20)


@both_wires
@pytest.mark.parametrize("answers", [ONE_BY_ONE, TOGETHER], ids=["one by one", "together"])
async def test_a_turn_with_two_actions_runs(gym, script, model, answers):
    await script.plays(*answers)
    assert await reply_to("Yoga at 6?", gym, script, model) == DONE["text"]
    assert gym.done == [("find", "yoga"), ("book", 18)]
    assert await script.paths() == [WIRES[model]] * len(answers)


@both_wires
async def test_a_model_that_is_throttled_and_broken_is_asked_again_as_it_should_be(gym, script, model):
    """llmock looks at what is sent again and when, and has nothing to complain of."""
    await script.plays({"type": "fail", "status": 429, "retry_after": 1}, {"type": "fail", "status": 503}, DONE)
    assert await reply_to("Yoga at 6?", gym, script, model) == DONE["text"]
    assert len(await script.paths()) == 3
    assert (await script.ask("verdict"))["findings"] == []
