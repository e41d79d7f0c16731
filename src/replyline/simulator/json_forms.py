"""JSON that somebody gives the control API: checked name by name, and refused in one sentence."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from replyline.errors import ReplylineError

Form = dict[str, Any]
LARGEST = 1e9  # seconds, most often: what is much more has no date
WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number up to 1e9",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


class BadJson(ReplylineError):
    """The control API does not understand that."""


async def read_json(request: Request) -> object:
    """A request's JSON. Raises `BadJson`."""
    # A page of another site can send anything but this type without being asked.
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadJson("The control API takes JSON: send Content-Type: application/json.")
    try:
        return loads(await request.body())
    except ValueError:
        raise BadJson("That is not JSON.") from None


def loads(written: bytes | str) -> object:
    """JSON that can be written again: without NaN, halves of surrogate pairs or endless brackets. Raises `ValueError`."""
    try:
        given: object = json.loads(written)
        json.dumps(given, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("There are too many brackets in it.") from None
    return given


def check(given: object, types: Mapping[str, type], *, what: str) -> Form:
    """The object, if all in it has a known name and a fitting type; null stands for nothing said. Raises `BadJson`."""
    if not isinstance(given, dict):
        raise BadJson(f"{what} is a JSON object.")
    for name, value in given.items():
        if name not in types:
            raise BadJson(f"{what} has no '{name}' here; it may have {', '.join(types)}.")
        if value is not None and not is_a(value, types[name]):
            raise BadJson(f"'{name}' must be {WORDS[types[name]]}, and {json.dumps(value)} is not.")
    return given


def is_a(value: object, wanted: type) -> bool:
    if isinstance(value, bool) or wanted is bool:
        return isinstance(value, bool) and wanted is bool
    if wanted is float:
        return isinstance(value, int | float) and abs(value) <= LARGEST
    return isinstance(value, wanted)
