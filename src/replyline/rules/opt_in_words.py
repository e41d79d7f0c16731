"""The word that answers our own question whether somebody wants what they signed up for (compliance.md §5.2, §6)."""

from datetime import timedelta
from enum import StrEnum

from replyline.rules.keywords import normalised

# Not YES, which phone networks take for START. Who says yes all the same, right after the question, has said yes.
JOIN = "JOIN"
YES = {"yes", "y", "yeah", "yep", "ok", "okay", "sure", "si", "oui", "ja", "sim", "tak"}
FRESH = timedelta(hours=24)  # a question that is older may have been forgotten


class Answer(StrEnum):
    """What a text may say to our question."""

    JOIN = "join"  # our own word
    YES = "yes"  # to whatever was asked last


def answer_in(body: str) -> Answer | None:
    said = normalised(body)
    if said == Answer.JOIN:
        return Answer.JOIN
    return Answer.YES if said in YES else None
