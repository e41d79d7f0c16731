"""A typed Python function with a docstring becomes something the model may call."""

import inspect
import json
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from replyline.characters import storable_json
from replyline.errors import ReplylineError
from replyline.plugins.calling import call, call_within
from replyline.plugins.context import ActionContext
from replyline.plugins.endings import AskAgain

ActionFunction = Callable[..., Any]


class BadAction(ReplylineError):
    """A function cannot be an action, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """Something the model may call: its name, its docstring and its arguments are what the model sees."""

    name: str
    description: str
    arguments: type[BaseModel]
    parameters: dict[str, Any]  # the JSON schema of the arguments
    function: ActionFunction
    takes_context: bool
    time_limit: float  # seconds

    async def call(self, ctx: ActionContext, arguments: str) -> str:
        """Run it with the model's JSON arguments. Raises an `Ending`, or whatever the function raises."""
        values = self.read(arguments, ctx.line.timezone)
        given = {"ctx": ctx} | values if self.takes_context else values
        return await call_within(self.time_limit, partial(self._result, given))

    async def _result(self, given: dict[str, Any]) -> str:
        return as_text(await call(self.function, given))

    def read(self, arguments: str, timezone: str) -> dict[str, Any]:
        """The arguments as Python values; times without an offset are the line's local time. Raises `AskAgain`."""
        try:
            parsed = self.arguments.model_validate_json(with_storable_words(arguments or "{}"))
        except ValidationError as error:
            raise AskAgain(complaint(error)) from None
        return {name: in_zone(getattr(parsed, name), timezone) for name in type(parsed).model_fields}


def as_action(function: ActionFunction, *, name: str | None, time_limit: float) -> Action:
    """Make an action of a function. Raises `BadAction` with what to change."""
    name = name or function.__name__
    description = inspect.getdoc(function)
    if not description:
        raise BadAction(f"The action {name} has no docstring; the model needs one to know when to call it.")
    hints = typing.get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    takes_context = "ctx" in inspect.signature(function).parameters
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "ctx":
            continue
        if parameter.name not in hints:
            raise BadAction(f"The argument {parameter.name} of the action {name} has no type; give it one.")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    arguments = create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **fields)
    return Action(
        name=name,
        description=description,
        arguments=arguments,
        parameters=schema_of(arguments),
        function=function,
        takes_context=takes_context,
        time_limit=time_limit,
    )


def schema_of(arguments: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema as models like it: closed, without titles."""
    schema = arguments.model_json_schema()
    schema.pop("title", None)
    schema.setdefault("properties", {})
    schema.setdefault("required", [])
    for value in schema["properties"].values():
        value.pop("title", None)
    return schema


def with_storable_words(arguments: str) -> str:
    """JSON without the escapes of characters that no database takes; what is no JSON stays, to be complained about."""
    if "\\u" not in arguments:
        return arguments
    try:
        return json.dumps(storable_json(json.loads(arguments)))
    except (ValueError, RecursionError):
        return arguments


def in_zone(value: Any, timezone: str) -> Any:
    """A local time gets its zone. A time the clocks skip is refused: on that day it does not exist."""
    if not isinstance(value, datetime):
        return value
    zone = ZoneInfo(timezone)
    try:
        if value.tzinfo is not None:
            return value.astimezone(zone)
        local = value.replace(tzinfo=zone)
        exists = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == value
    except OverflowError:  # the first or the last day that Python knows, in another zone
        raise AskAgain(f"{value:%d %B %Y} is too far away. Ask for another day.") from None
    if not exists:
        raise AskAgain(
            f"{value:%H:%M} does not exist on {value:%d %B %Y}: the clocks go forward. Ask for another time."
        )
    return local


def complaint(error: ValidationError) -> str:
    told = [f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors(include_url=False)]
    return "The arguments were not usable. " + "; ".join(told)[:400]


def as_text(result: Any) -> str:
    """What the model reads: text as it is, anything else as JSON."""
    if result is None:
        return "Done."
    return result if isinstance(result, str) else json.dumps(result, default=str)
