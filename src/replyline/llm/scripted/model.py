"""The scripted model: answers without a key or a network, by rules, and takes real actions like any other model."""

import json
from collections.abc import Sequence

from replyline.llm.prompt import (
    Answer,
    Check,
    Prompt,
    PromptPart,
    Record,
    Result,
    Said,
    Texts,
    ToolCall,
    Usage,
)
from replyline.llm.scripted.outcomes import outcome, with_free_times
from replyline.llm.scripted.record import read_record
from replyline.llm.scripted.steps import Ask, Do, Say, Step
from replyline.llm.scripted.talk import plan

NOT_AN_LLM = "No model key is set, so the scripted model answers. It follows fixed rules and is not an LLM."
PICTURE = "Thanks for the picture! I'm a scripted model, so I can't look at it"


class ScriptedModel:
    """Plans the whole turn anew at each ask, and goes on with the first action that has no result yet."""

    name = "scripted"

    async def answer(self, prompt: Prompt) -> Answer:
        steps = steps_of(prompt)
        results = [part for part in prompt.turns if isinstance(part, Result)]
        actions = actions_of(steps)
        if len(results) < len(actions):
            return calling(actions[len(results)], len(results), prompt)
        text = reply(steps, [result.output for result in results], has_picture=has_picture(prompt.turns))
        if isinstance(prompt.turns[-1], Check):
            text = shorter(text)
        return saying(text)

    async def close(self) -> None:
        """Nothing is held."""


def scripted_model() -> ScriptedModel:
    """The model for when there is no key. Print `NOT_AN_LLM` when you start with it."""
    return ScriptedModel()


def steps_of(prompt: Prompt) -> list[Step]:
    history = [(part.by, part.text) for part in prompt.turns if isinstance(part, Said)]
    record = next((part.data for part in reversed(prompt.turns) if isinstance(part, Record)), {})
    texts = [text for part in prompt.turns if isinstance(part, Texts) for text in part.texts if text.strip()]
    return plan(read_record(record), {tool.name for tool in prompt.tools}, history, texts)


def actions_of(steps: Sequence[Step]) -> list[Do]:
    found = [step.lookup if isinstance(step, Ask) else step for step in steps]
    return [step for step in found if isinstance(step, Do)]


def has_picture(turns: Sequence[PromptPart]) -> bool:
    return any(part.pictures or part.unseen for part in turns if isinstance(part, Texts))


def calling(step: Do, at: int, prompt: Prompt) -> Answer:
    """The call, with the arguments that the action takes."""
    tool = next(each for each in prompt.tools if each.name == step.tool)
    known = tool.parameters.get("properties", step.arguments)
    arguments = json.dumps({name: value for name, value in step.arguments.items() if name in known})
    call = ToolCall(id=f"call_{at + 1}", name=step.tool, arguments=arguments)
    part = {"part_kind": "tool-call", "tool_name": call.name, "args": arguments, "tool_call_id": call.id}
    return answer_of(text="", calls=(call,), part=part)


def saying(text: str) -> Answer:
    return answer_of(text=text, calls=(), part={"part_kind": "text", "content": text})


def answer_of(*, text: str, calls: tuple[ToolCall, ...], part: dict[str, str]) -> Answer:
    return Answer(
        text=text,
        calls=calls,
        finish="tool_call" if calls else "stop",
        usage=Usage(model="scripted", cost_micros=0),
        # As the provider models write it: a turn may go on with another model after a restart.
        message=json.dumps({"kind": "response", "model_name": "scripted", "parts": [part]}),
    )


def reply(steps: Sequence[Step], outputs: Sequence[str], *, has_picture: bool) -> str:
    said: list[str] = []
    left = iter(outputs)
    has_more = any(not (isinstance(step, Say) and step.is_small_talk) for step in steps)
    for step in steps:
        match step:
            case Say(text=text, is_small_talk=is_small_talk) if not (is_small_talk and has_more):
                said.append(text)
            case Ask(text=text, lookup=None):
                said.append(text)
            case Ask(text=text, lookup=Do() as lookup):
                said.append(with_free_times(text, lookup, next(left)))
            case Do():
                said.append(outcome(step, next(left)))
            case _:
                pass
    if has_picture:
        said.insert(0, f"{PICTURE}." if said else f"{PICTURE}. What can I do for you?")
    return " ".join(dict.fromkeys(said))


def shorter(text: str) -> str:
    """The first sentences, as many as one segment holds."""
    kept = ""
    for sentence in text.replace("! ", "!|").replace(". ", ".|").replace("? ", "?|").split("|"):
        if len(kept) + len(sentence) + 1 > 155:
            break
        kept = f"{kept} {sentence}".strip()
    return kept or text[:150].rsplit(" ", 1)[0] + "..."
