"""OpenAI's Responses and Chat Completions: their requests read into one shape, and replies written as theirs."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "call", "output"]


@dataclass
class Call:
    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict)
    id: str | None = None


@dataclass
class Reply:
    """What the server answers."""

    text: str | None = None
    calls: list[Call] = field(default_factory=list)
    finish: Literal["stop", "length", "content_filter", "refusal"] = "stop"
    status: int = 200
    code: str | None = None  # of an error
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    usage: tuple[int, int, int] = (120, 0, 20)  # input, of which cached, output
    is_dropped: bool = False  # the connection is cut instead
    raw: bytes | None = None  # sent as the body instead


@dataclass
class Turn:
    role: Role
    text: str = ""
    pictures: int = 0
    call_id: str = ""
    name: str = ""


@dataclass
class Asked:
    """One request, in the same shape for both wires."""

    wire: str
    body: dict[str, Any]
    headers: dict[str, str]
    turns: list[Turn]
    tools: dict[str, dict[str, Any]]  # by name: description, parameters, strict

    @property
    def last(self) -> Turn:
        return self.turns[-1]

    def said_by(self, role: Role) -> list[str]:
        return [turn.text for turn in self.turns if turn.role == role]


class BadRequest(Exception):
    """The real server would answer 400."""


class Wire(Protocol):
    path: str

    def read(self, body: dict[str, Any], headers: dict[str, str]) -> Asked: ...

    def write(self, reply: Reply, asked: Asked, number: int) -> dict[str, Any]: ...


class Responses:
    path = "/v1/responses"

    def read(self, body: dict[str, Any], headers: dict[str, str]) -> Asked:
        tools = {tool["name"]: tool for tool in body.get("tools") or ()}
        return checked(Asked("responses", body, headers, list(self._turns(body)), tools))

    def _turns(self, body: dict[str, Any]) -> Iterator[Turn]:
        if body.get("instructions"):
            yield Turn("system", body["instructions"])
        for item in body["input"]:
            kind = item.get("type", "message")
            if kind == "message":
                yield Turn(as_role(item["role"]), *words_and_pictures(item["content"]))
            elif kind == "function_call":
                yield Turn("call", item["arguments"], call_id=item["call_id"], name=item["name"])
            elif kind == "function_call_output":
                yield Turn("output", *words_and_pictures(item["output"]), call_id=item["call_id"])
            elif kind != "reasoning":
                raise BadRequest(f"Invalid value: '{kind}' in input[].type.")

    def write(self, reply: Reply, asked: Asked, number: int) -> dict[str, Any]:
        items: list[dict[str, Any]] = [
            {
                "type": "function_call",
                "id": f"fc_{id}",
                "status": "completed",
                "call_id": id,
                "name": name,
                "arguments": arguments,
            }
            for id, name, arguments in named_calls(reply, number)
        ]
        reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
        status = "incomplete" if reply.finish in reasons else "completed"
        if reply.text is not None:
            said = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
            content = {"type": "refusal", "refusal": reply.text} if reply.finish == "refusal" else said
            message = {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": status}
            items.append({**message, "content": [content]})
        used, cached, written = reply.usage
        return {
            "id": f"resp_{number}",
            "object": "response",
            "created_at": int(time.time()),
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reasons[reply.finish]} if reply.finish in reasons else None,
            "model": asked.body["model"],
            "output": items,
            "parallel_tool_calls": asked.body.get("parallel_tool_calls", True),
            "tool_choice": asked.body.get("tool_choice", "auto"),
            "tools": asked.body.get("tools") or [],
            "store": asked.body.get("store", True),
            "usage": {
                "input_tokens": used,
                "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
                "output_tokens": written,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": used + written,
            },
        }


class Chat:
    path = "/v1/chat/completions"

    def read(self, body: dict[str, Any], headers: dict[str, str]) -> Asked:
        tools = {tool["function"]["name"]: tool["function"] for tool in body.get("tools") or ()}
        return checked(Asked("chat", body, headers, list(self._turns(body)), tools))

    def _turns(self, body: dict[str, Any]) -> Iterator[Turn]:
        for message in body["messages"]:
            text, pictures = words_and_pictures(message.get("content"))
            if message["role"] == "tool":
                yield Turn("output", text, pictures, message["tool_call_id"])
                continue
            calls = message.get("tool_calls") or ()
            if text or pictures or not calls:
                yield Turn(as_role(message["role"]), text, pictures)
            for call in calls:
                function = call["function"]
                yield Turn("call", function["arguments"], call_id=call["id"], name=function["name"])

    def write(self, reply: Reply, asked: Asked, number: int) -> dict[str, Any]:
        is_refusal = reply.finish == "refusal"
        message: dict[str, Any] = {"role": "assistant", "content": None if is_refusal else reply.text}
        message["refusal"] = reply.text if is_refusal else None
        if reply.calls:
            message["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id, name, arguments in named_calls(reply, number)
            ]
        finish = "tool_calls" if reply.calls else "stop" if is_refusal else reply.finish
        used, cached, written = reply.usage
        return {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": asked.body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": {
                "prompt_tokens": used,
                "completion_tokens": written,
                "total_tokens": used + written,
                "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
        }


WIRES: tuple[Wire, ...] = (Responses(), Chat())


def as_role(role: str) -> Role:
    if role not in ("system", "developer", "user", "assistant"):
        raise BadRequest(f"Invalid value: '{role}' in role.")
    return "system" if role == "developer" else role  # type: ignore[return-value]


def words_and_pictures(content: Any) -> tuple[str, int]:
    if content is None or isinstance(content, str):
        return content or "", 0
    words = [part.get("text") or part.get("refusal") or "" for part in content if "image" not in part["type"]]
    return "\n".join(words), sum("image" in part["type"] for part in content)


def named_calls(reply: Reply, number: int) -> Iterator[tuple[str, str, str]]:
    for at, call in enumerate(reply.calls):
        arguments = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
        yield call.id or f"call_{number}_{at}", call.name, arguments


def checked(asked: Asked) -> Asked:
    """Refuse what the real server refuses."""
    if not asked.turns:
        raise BadRequest("The input is empty.")
    calls = [turn.call_id for turn in asked.turns if turn.role == "call"]
    outputs = [turn.call_id for turn in asked.turns if turn.role == "output"]
    if loose := set(outputs) - set(calls):
        raise BadRequest(f"No tool call found for function call output with call_id {min(loose)}.")
    if open_calls := set(calls) - set(outputs):
        raise BadRequest(f"No tool output found for function call {min(open_calls)}.")
    for name, tool in asked.tools.items():
        if tool.get("strict"):
            check_closed(tool["parameters"], name)
    return asked


def check_closed(schema: dict[str, Any], where: str) -> None:
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            raise BadRequest(f"{where}: strict needs additionalProperties: false.")
        if set(schema.get("required", ())) != set(schema.get("properties", {})):
            raise BadRequest(f"{where}: strict needs every property in 'required'.")
    for named in (schema.get("properties", {}), schema.get("$defs", {})):
        for name, child in named.items():
            check_closed(child, f"{where}.{name}")


def function_call(id: str, name: str, arguments: str) -> dict[str, Any]:
    call = {"call_id": id, "name": name, "arguments": arguments}
    return {"type": "function_call", "id": f"fc_{id}", "status": "completed", **call}
