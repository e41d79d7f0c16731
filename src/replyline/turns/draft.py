"""From what the model said to what a phone can show."""

from replyline.plugins.line import Line
from replyline.rules import reply_words
from replyline.turns.clean import EmojiPolicy, clean
from replyline.turns.fit import cut, problem
from replyline.turns.states import Draft
from replyline.turns.text_triggers import find_triggers


def complaint_about(draft: Draft, line: Line, *, sent_back: int) -> str | None:
    """What to tell the model about its draft; none when it can go out, or was sent back once already."""
    if sent_back:
        return None
    if draft.finish == "length":
        return "Your reply was cut off. Use fewer words."
    said = plain(draft, line)
    return reply_words.complaint(said) or problem(said, line.max_segments)


def body_of(draft: Draft, line: Line) -> str:
    """The draft as a text: plain, and cut at a sentence if it is still too long. Empty when there is nothing to say."""
    said = plain(draft, line)
    return cut(said, line.max_segments) if said else ""


def plain(draft: Draft, line: Line) -> str:
    said, _ = find_triggers(draft.text)
    return clean(said, emoji=EmojiPolicy(line.emoji)).strip()
