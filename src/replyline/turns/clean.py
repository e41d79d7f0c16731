"""What a model wrote, as a text that a phone shows well and that costs no more than it must."""

import re
from enum import StrEnum

from replyline.conversations.segments import measure
from replyline.turns.emoji import without_emoji
from replyline.turns.look_alikes import straightened
from replyline.turns.markdown import without_markdown
from replyline.turns.text_triggers import find_triggers

LINE_ENDS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
GAPS = re.compile(r"[^\S\n]+")
LINE_EDGES = re.compile(r"^ | $", re.MULTILINE)
BLANK_LINES = re.compile(r"\n{3,}")
# Nobody nests markdown deeper. Who does makes us work for seconds, so then every sign of it goes at once.
PASSES = 20
SIGNS = re.compile(r"[*_`#~>\[\]()|\\<]")


class EmojiPolicy(StrEnum):
    """What becomes of emoji in a reply."""

    KEEP = "keep"  # they stay
    STRIP = "strip"  # they go
    AUTO = "auto"  # they go when the text takes fewer segments without them


def clean(reply: str, *, emoji: EmojiPolicy) -> str:
    """A reply without markdown, look-alikes that cost double, text triggers and needless space.

    Cleaning what is clean changes nothing. A reply of emoji alone is empty after STRIP.
    """
    for _ in range(PASSES):  # what is taken away may uncover more of the same
        cleaned = clean_once(reply, emoji)
        if cleaned == reply:
            return cleaned
        reply = cleaned
    return clean(SIGNS.sub("", reply), emoji=emoji)


def clean_once(reply: str, emoji: EmojiPolicy) -> str:
    text, _ = find_triggers(reply)
    text = without_markdown(spaced(text))
    return spaced(with_policy(spaced(straightened(text)), emoji))


def spaced(text: str) -> str:
    """Single spaces, none at the ends of lines, and at most one blank line between others."""
    text = GAPS.sub(" ", LINE_ENDS.sub("\n", text))
    return BLANK_LINES.sub("\n\n", LINE_EDGES.sub("", text)).strip()


def with_policy(text: str, emoji: EmojiPolicy) -> str:
    if emoji is EmojiPolicy.KEEP or text.isascii():
        return text
    bare = without_emoji(text)
    if emoji is EmojiPolicy.STRIP:
        return bare
    is_cheaper = bare.strip() != "" and measure(bare).segments < measure(text).segments
    return bare if is_cheaper else text
