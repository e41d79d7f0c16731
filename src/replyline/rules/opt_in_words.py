"""The word that answers our own question whether somebody wants what they signed up for (compliance.md §5.2, §6)."""

from datetime import timedelta

from replyline.rules.keywords import normalised

# Not YES, which phone networks take for START. Who says yes all the same, right after the question, has said yes.
JOIN = "JOIN"
YES = {"yes", "y", "yeah", "yep", "ok", "okay", "sure", "si", "oui", "ja", "sim", "tak"}
FRESH = timedelta(hours=24)  # a question that is older may have been forgotten


def joins(body: str) -> bool:
    """Whether a text is our own word."""
    return normalised(body) == "join"


def agrees(body: str) -> bool:
    """Whether a text is a yes to whatever was asked last."""
    return normalised(body) in YES
