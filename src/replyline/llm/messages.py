"""Our prompt as pydantic-ai's messages, and its response as our answer."""

import json
import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from pydantic import TypeAdapter
from pydantic_ai.framing import neutralize_tags, register_tag, wrap
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    TextPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_core import PydanticSerializationError

from replyline.characters import storable_json
from replyline.llm.prompt import (
    Answer,
    Answered,
    Check,
    Finish,
    PromptPart,
    Record,
    Result,
    Said,
    Texts,
    ToolCall,
    Usage,
)

RECORD = register_tag("contact_record")
CHECK = "[automatic check, not the customer]"
UNSEEN_PICTURE = "[a picture was attached that you cannot see]"
UNSEEN = "[something was attached that you cannot see]"

RESPONSE: TypeAdapter[ModelResponse] = TypeAdapter(ModelResponse)


def as_messages(turns: Sequence[PromptPart], *, sees_pictures: bool) -> list[ModelMessage]:
    """The conversation and this turn, strictly in turn: some local models accept nothing else."""
    messages: list[ModelMessage] = []
    for ours, parts in groupby(turns, key=is_ours):
        if ours:
            messages.extend(as_responses(parts))
        else:
            messages.append(as_request(parts, sees_pictures))
    return messages


def is_ours(part: PromptPart) -> bool:
    return isinstance(part, Answered) or (isinstance(part, Said) and part.by == "us")


def as_responses(parts: Iterable[PromptPart]) -> list[ModelMessage]:
    responses: list[ModelMessage] = []
    said: list[str] = []
    for part in parts:
        if isinstance(part, Said):
            said.append(neutralize_tags(part.text))
        elif isinstance(part, Answered):
            responses.append(RESPONSE.validate_json(part.message))
    if said:
        responses.insert(0, ModelResponse(parts=[TextPart("\n".join(said))]))
    return responses


def as_request(parts: Iterable[PromptPart], sees_pictures: bool) -> ModelMessage:
    results: list[ModelRequestPart] = []
    content: list[str] = []
    pictures: list[BinaryContent] = []
    for part in parts:
        match part:
            case Said(text=text):
                content.append(neutralize_tags(text))
            case Record(data=data):
                content.append(wrap(RECORD, json.dumps(data, separators=(",", ":"), ensure_ascii=False, default=str)))
            case Texts(texts=texts, pictures=seen, unseen=unseen):
                content.extend(neutralize_tags(text) for text in texts)
                if sees_pictures:
                    pictures.extend(BinaryContent(data=p.content, media_type=p.media_type) for p in seen)
                else:
                    content.extend(UNSEEN_PICTURE for _ in seen)
                content.extend([UNSEEN] * unseen)
            case Result(call_id=call_id, name=name, output=output):
                results.append(ToolReturnPart(tool_name=name, content=neutralize_tags(output), tool_call_id=call_id))
            case Check(text=text):
                content.append(f"{CHECK} {text}")
            case Answered():
                raise AssertionError("An answer is ours.")
    return ModelRequest(parts=[*results, *as_user_prompt(content, pictures)])


def as_user_prompt(content: list[str], pictures: list[BinaryContent]) -> list[ModelRequestPart]:
    """One string where there are no pictures: small servers do not read lists."""
    words = "\n".join(content)
    if not pictures:
        return [UserPromptPart(words)] if words else []
    seen: list[UserContent] = [words, *pictures] if words else [*pictures]
    return [UserPromptPart(seen)]


def as_answer(response: ModelResponse) -> Answer:
    response, message = storable_response(response)
    calls = tuple(
        ToolCall(id=call.tool_call_id, name=call.tool_name, arguments=call.args_as_json_str())
        for call in response.tool_calls
    )
    finish: Finish = response.finish_reason or ("tool_call" if calls else "stop")
    return Answer(
        text=response.text or "",
        calls=calls,
        finish=finish,
        usage=usage_of(response),
        message=message,
    )


def storable_response(response: ModelResponse) -> tuple[ModelResponse, str]:
    """The response and its JSON, without characters that cannot be stored or sent: an answer may end within an emoji."""
    try:
        message = RESPONSE.dump_json(response).decode()
    except PydanticSerializationError:
        message = ""
    if message and "\\u0000" not in message:
        return response, message
    response = RESPONSE.validate_python(storable_json(RESPONSE.dump_python(response)))
    return response, RESPONSE.dump_json(response).decode()


def usage_of(response: ModelResponse) -> Usage:
    used = response.usage
    return Usage(
        model=response.model_name or "unknown",
        input_tokens=used.input_tokens,
        cached_tokens=used.cache_read_tokens,
        cache_write_tokens=used.cache_write_tokens,
        output_tokens=used.output_tokens,
        cost_micros=cost_of(response),
    )


def cost_of(response: ModelResponse) -> int | None:
    """Rounded up, so that many small answers never look free."""
    try:
        price = response.cost().total_price
    except (LookupError, ValueError, AssertionError):
        return None  # a local model, or one newer than the price list
    return math.ceil(price * 1_000_000)
