"""A conversation in a file, played with simulated phones.

# A comment.
> Can I come to yoga tomorrow at 6pm?       the person texts
< booked ... yoga ... 6pm                   the next text they get has these pieces, in this order
< (nothing)                                 they get no text for two seconds
phone +12125550199                          from here on another phone texts
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from replyline.errors import ReplylineError
from replyline.simulator.phone import SimulatedPhone

PATIENCE = 30.0  # seconds; a real model takes its time
SILENCE = 2.0
FIRST_PHONE = "+12125550123"


class BadScript(ReplylineError):
    """A line of a conversation file cannot be read, and what it should look like."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cue:
    """One line of the file."""

    kind: Literal["text", "expect", "nothing", "phone"]
    words: str
    number: int  # of the line, from 1


def read_script(path: Path) -> list[Cue]:
    """The cues of a file. Raises `BadScript`."""
    cues = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.strip()
        if words and not words.startswith("#"):
            cues.append(read_cue(words, number, path))
    if not any(cue.kind == "expect" for cue in cues):
        raise BadScript(f"{path} expects nothing; add a line such as `< booked ... 6pm`.")
    return cues


def read_cue(words: str, number: int, path: Path) -> Cue:
    if words.startswith(">"):
        return Cue(kind="text", words=words[1:].strip(), number=number)
    if words.startswith("<"):
        expected = words[1:].strip()
        return Cue(kind="nothing" if expected == "(nothing)" else "expect", words=expected, number=number)
    if match := re.fullmatch(r"phone (\+\d{7,15})", words):
        return Cue(kind="phone", words=match[1], number=number)
    raise BadScript(
        f"{path}, line {number}: a line begins with `>` (the person), `<` (an expectation), `phone` or `#`."
    )


async def play(cues: list[Cue], phone_at: Callable[[str], SimulatedPhone], show: Callable[[str], None]) -> bool:
    """Play the cues, showing the conversation; false when an expectation did not hold."""
    phone = phone_at(FIRST_PHONE)
    read: dict[str, int] = {}
    for cue in cues:
        if cue.kind == "phone":
            phone = phone_at(cue.words)
        elif cue.kind == "text":
            show(f"  > {cue.words}")
            await phone.text(cue.words)
        elif not await holds(cue, phone, read, show):
            return False
    show("  Every expectation held.")
    return True


async def holds(cue: Cue, phone: SimulatedPhone, read: dict[str, int], show: Callable[[str], None]) -> bool:
    seen = read.get(phone.number, 0)
    try:
        await phone.wait_for(seen + 1, timeout=SILENCE if cue.kind == "nothing" else PATIENCE)
    except TimeoutError:
        if cue.kind == "nothing":
            return True
        show(f"  ! line {cue.number}: no text came; expected: {cue.words}")
        return False
    reply = phone.screen[seen]
    read[phone.number] = seen + 1
    show(f"  < {reply}")
    if cue.kind == "expect" and matches(cue.words, reply):
        return True
    show(f"  ! line {cue.number}: expected: {cue.words}")
    return False


def matches(expected: str, reply: str) -> bool:
    """Whether the pieces between `...` are in the reply, in order, whatever their case."""
    pieces = [re.escape(piece.strip()) for piece in re.split(r"\.\.\.|…", expected)]
    return re.search(".*?".join(pieces), reply, re.IGNORECASE | re.DOTALL) is not None
