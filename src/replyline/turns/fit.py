"""Replies that are too long: what to tell the model, and where to cut when telling did not help."""

import re

from replyline.conversations.graphemes import graphemes
from replyline.conversations.segments import (
    GSM_7_ALONE,
    GSM_7_JOINED,
    LONGEST_BODY,
    UCS_2_ALONE,
    UCS_2_JOINED,
    Encoding,
    measure,
)

# A sentence's end: its mark, then nothing, a line's end, or something that begins a sentence. A row of marks is looked at
# once: a model that has nothing left to say but "!!!!" would otherwise keep us busy for seconds.
SENTENCE_END = re.compile(r"(?:(?<![.!?…])[.!?…]++[\"')\]]*+(?=\s+[^\sa-z]|\s*\Z)|[。！？]|(?=\n))")
ABBREVIATIONS = {"mr", "mrs", "ms", "dr", "st", "no", "vs", "approx"}
WORD_END = re.compile(r"(?<=\S)(?=\s)")
MORE = "..."
WORTH_KEEPING = 1 / 3  # of what would fit: "Hi Ana!" is a sentence, and no answer


def problem(body: str, max_segments: int) -> str | None:
    """What to tell the model about a reply that cannot go out as it is; none when it can."""
    if not body.strip():
        return "Your reply is empty. Write what to text to the person."
    if is_short_enough(body, max_segments):
        return None
    size = measure(body)
    room = characters_in(max_segments, size.encoding)
    advice = " Without emoji and unusual characters there is twice the room." if size.encoding is Encoding.UCS_2 else ""
    return (
        f"Your reply is too long for a text: {len(body)} characters, and there is room for {room}.{advice} "
        "Say the same in fewer words, the most important first."
    )


def cut(body: str, max_segments: int) -> str:
    """As much of a body as fits, up to the end of a sentence or at worst of a word; never a torn character."""
    if is_short_enough(body, max_segments):
        return body
    room = longest_prefix(body, max_segments)
    sentence = last_sentence_end(body, room)
    if sentence >= room * WORTH_KEEPING:
        return body[:sentence].rstrip()
    room = longest_prefix(body, max_segments, MORE)
    word = max((found.start() for found in WORD_END.finditer(body) if found.start() <= room), default=0)
    return (body[:word] if word >= room * WORTH_KEEPING else body[:room]).rstrip(" \n,;:-") + MORE


def is_short_enough(body: str, max_segments: int) -> bool:
    return len(body) <= LONGEST_BODY and measure(body).segments <= max(max_segments, 1)


def characters_in(segments: int, encoding: Encoding) -> int:
    alone, joined = (GSM_7_ALONE, GSM_7_JOINED) if encoding is Encoding.GSM_7 else (UCS_2_ALONE, UCS_2_JOINED)
    return alone if segments <= 1 else min(joined * segments, LONGEST_BODY)


def longest_prefix(body: str, max_segments: int, ending: str = "") -> int:
    """How many characters of a body fit together with an ending, whole graphemes only."""
    ends = [0]
    for cluster in graphemes(body[:LONGEST_BODY]):
        ends.append(ends[-1] + len(cluster))
    fits, too_long = 0, len(ends)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if is_short_enough(body[: ends[middle]] + ending, max_segments):
            fits = middle
        else:
            too_long = middle
    return ends[fits]


def last_sentence_end(body: str, room: int) -> int:
    """Where the last sentence or line ends that fits; an item's number or an abbreviation ends none."""
    last = 0
    for found in SENTENCE_END.finditer(body):
        if found.end() > room:
            break
        line = body[body.rfind("\n", 0, found.start()) + 1 : found.start()]
        word = line.rpartition(" ")[2].lower()
        if not (found[0].startswith(".") and (line.isdigit() or word in ABBREVIATIONS)):
            last = found.end()
    return last
