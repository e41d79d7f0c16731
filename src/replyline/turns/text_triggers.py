"""Actions asked for in the text itself, by models that have no tools: `[ACTION:SCHEDULE service=yoga]`."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

# Marks a model may put around the word, and that vanish before a text leaves.
NOISE = r"[\s*_`~\\\u00ad\u200b\u2060\ufeff]*"
START = re.compile(rf"([*_`~]{{0,3}})\\?[\[［]{NOISE}ACTION{NOISE}[:：]{NOISE}", re.IGNORECASE)
NAME = re.compile(r"([A-Za-z][\w-]*)[\s*`]*")
CLOSED = re.compile(r"\s*[\]］]")
# Everything up to the bracket that closes the trigger; one inside double quotes does not.
ARGUMENTS = re.compile(r'((?:"[^"\n]*"|[^\]］"\n])*)[\]］]')
MALFORMED = re.compile(r"[^\n]*?\}\s*[\]］]|[^\]］\n]*[\]］]?")
# A name, and a value that goes on to the next name: models forget quotes.
ARGUMENT = re.compile(r"([A-Za-z_]\w*)\s*=\s*(\"[^\"]*\"|“[^”]*”|'[^']*'|.*?)(?:[\s,;]+(?=[A-Za-z_]\w*\s*=)|[\s,;]*$)")
QUOTES = "\"'“”"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """An action as the text asks for it."""

    name: str
    arguments: dict[str, str]


def find_triggers(reply: str) -> tuple[str, tuple[Trigger, ...]]:
    """The reply without its triggers, and those that could be read, in their order.

    A malformed one is dropped from the text all the same: no customer reads `[ACTION:`.
    """
    if START.search(reply) is None:
        return reply, ()
    kept, triggers = take_out(reply)
    while START.search(kept):  # what was taken out stood inside another one
        kept, _ = take_out(kept)
    return kept.strip(), tuple(triggers)


def match_action(trigger_name: str, action_names: Collection[str]) -> str | None:
    """The action a trigger means: by its whole name, or by its first word when only one action begins with it."""
    wanted = re.sub(r"[\s-]+", "_", trigger_name.strip()).casefold()
    whole = [name for name in action_names if name.casefold() == wanted]
    matching = whole or [name for name in action_names if name.casefold().partition("_")[0] == wanted]
    return matching[0] if len(matching) == 1 else None


def take_out(reply: str) -> tuple[str, list[Trigger]]:
    kept: list[str] = []
    triggers: list[Trigger] = []
    end = 0
    while start := START.search(reply, end):
        before, marks = reply[end : start.start()], start[1]
        trigger, end = read_trigger(reply, start.end())
        if reply.startswith(marks, end):  # **[ACTION:LIST]**
            kept.append(before.rstrip(" \t"))
            end += len(marks)
        else:
            kept.append(before + marks)
        if trigger is not None:
            triggers.append(trigger)
    return "".join([*kept, reply[end:]]), triggers


def read_trigger(reply: str, at: int) -> tuple[Trigger | None, int]:
    """The trigger whose name begins at `at`, if it can be read, and where the text goes on."""
    named = NAME.match(reply, at)
    if named is not None:
        arguments, end = read_arguments(reply, named.end())
        if arguments is not None:
            return Trigger(name=named[1], arguments=arguments), end
    malformed = MALFORMED.match(reply, at)
    return None, malformed.end() if malformed else at


def read_arguments(reply: str, at: int) -> tuple[dict[str, str] | None, int]:
    if reply.startswith("{", at):
        return read_json(reply, at)
    written = ARGUMENTS.match(reply, at)
    if written is None:
        return None, at
    arguments: dict[str, str] = {}
    text, place = written[1].strip().strip(","), 0
    while place < len(text):
        argument = ARGUMENT.match(text, place)
        if argument is None:
            return None, at
        arguments[argument[1]] = argument[2].strip(QUOTES)
        place = argument.end()
    return arguments, written.end()


def read_json(reply: str, at: int) -> tuple[dict[str, str] | None, int]:
    try:
        values, end = json.JSONDecoder().raw_decode(reply, at)
    except (ValueError, RecursionError):
        return None, at
    closed = CLOSED.match(reply, end)
    if closed is None:
        return None, at
    return {str(name): as_text(value) for name, value in values.items() if value is not None}, closed.end()


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
