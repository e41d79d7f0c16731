"""Models for tests: they give the answers they were handed, and keep what they were asked."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from replyline.llm.prompt import Answer, Finish, Prompt, ToolCall, Usage

# A text, one call or several, a whole answer, or an error to raise.
Given = str | ToolCall | Sequence[ToolCall] | Answer | Exception


class FixedAnswers:
    """Answers by a function of the prompt, after `delay` seconds. `prompts` holds all it was asked."""

    def __init__(self, brain: Callable[[Prompt], Given], *, name: str = "fixed", delay: float = 0.0) -> None:
        self.name, self.delay = name, delay
        self.prompts: list[Prompt] = []
        self.is_closed = False
        self._brain = brain
        self._ids = count(1)

    async def answer(self, prompt: Prompt) -> Answer:
        self.prompts.append(prompt)
        if self.delay:
            await asyncio.sleep(self.delay)
        given = self._brain(prompt)
        if isinstance(given, Exception):
            raise given
        return given if isinstance(given, Answer) else self._as_answer(given)

    async def close(self) -> None:
        self.is_closed = True

    def _as_answer(self, given: str | ToolCall | Sequence[ToolCall]) -> Answer:
        if isinstance(given, str):
            return an_answer(given, model=self.name)
        calls = (given,) if isinstance(given, ToolCall) else tuple(given)
        named = tuple(call if call.id else replace(call, id=f"call_{next(self._ids)}") for call in calls)
        return an_answer(calls=named, model=self.name)


def fixed_answers(*answers: Given, delay: float = 0.0) -> FixedAnswers:
    """Gives exactly these answers, in order; one more ask is a failure of the test.

    model = fixed_answers(call("book_class", when="2026-11-24T18:00:00"), "You're booked!")
    """
    left = list(answers)

    def next_one(prompt: Prompt) -> Given:
        if not left:
            raise AssertionError(f"The model was asked {len(model.prompts)} times, but has {len(answers)} answers.")
        return left.pop(0)

    model = FixedAnswers(next_one, delay=delay)
    return model


def always(answer: Given, *, delay: float = 0.0) -> FixedAnswers:
    """Gives the same answer, or raises the same error, as often as it is asked."""
    return FixedAnswers(lambda prompt: answer, delay=delay)


def call(name: str, /, **arguments: Any) -> ToolCall:
    """A call of an action with these arguments. It gets an id of its own."""
    return ToolCall(id="", name=name, arguments=json.dumps(arguments))


def an_answer(
    text: str = "",
    *,
    calls: tuple[ToolCall, ...] = (),
    finish: Finish | None = None,
    usage: Usage | None = None,
    model: str = "fixed",
) -> Answer:
    """An answer with whatever a test cares about."""
    parts = [{"part_kind": "text", "content": text}] if text else []
    parts += [
        {"part_kind": "tool-call", "tool_name": each.name, "args": each.arguments, "tool_call_id": each.id}
        for each in calls
    ]
    return Answer(
        text=text,
        calls=calls,
        finish=finish or ("tool_call" if calls else "stop"),
        usage=usage or Usage(model=model, input_tokens=100, output_tokens=10, cost_micros=15),
        message=json.dumps({"kind": "response", "model_name": model, "parts": parts}),
    )
