"""Emoji, and texts without them."""

import re

PICTURE = (
    "[\u203c\u2049\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u23cf\u23e9-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0"
    "\u25fb-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff]"
)
# How it is shown, its skin, the letters of a flag: what may follow a picture, also to join it with the next.
TAIL = "[\ufe0e\ufe0f\u20e3\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
EMOJI = re.compile(rf" ?(?:{PICTURE}{TAIL}* ?)+(?P<after>[.,;:!?)\n]|\Z)?")
KEYCAP = re.compile("([0-9#*])\ufe0f?\u20e3")
SHOWN_AS = re.compile("[\ufe0e\ufe0f]")


def without_emoji(text: str) -> str:
    """The text with its emoji left out, and the gaps closed that they leave. A 1 on a key becomes 1."""
    return SHOWN_AS.sub("", EMOJI.sub(closed, KEYCAP.sub(r"\1", text)))


def closed(found: re.Match[str]) -> str:
    """What stands where emoji stood: a space between words, nothing before punctuation or at the ends of a line."""
    if found["after"] is not None:
        return found["after"]
    is_first = found.start() == 0 or found.string[found.start() - 1] in "\n(["
    return "" if is_first else " "
