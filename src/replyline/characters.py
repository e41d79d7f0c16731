"""Characters that a database or a wire refuses, and texts without them.

PostgreSQL's text cannot hold NUL, and no encoding can write half of a surrogate pair, which JSON can carry all the same:
a model whose answer was cut off within an emoji sends one.
"""

import re
from typing import Any

LONE = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    """The text without NUL, and with U+FFFD where half of a pair stood."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if text.isascii() or LONE.search(text) is None:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # two halves that meet make a whole


def storable_json(value: Any) -> Any:
    """The same for the texts in a JSON value, the names in it included. Numbers that JSON has no form for become null."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable_json(name): storable_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [storable_json(each) for each in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
