"""Several wishes in one text, taken apart: "How much is yoga? And can I come at 6?"."""

import re
from collections.abc import Sequence

from replyline.llm.scripted.record import Service, services_in

BREAKS = re.compile(
    r"[?!\n;]+\s*|(?<![ap]\.m)\.\s+(?=[a-z]{2,}|I\b)"
    r"|,? (?:and|also|but) (?=(?:please |also )?(?:book|cancel|move|can i|could i|what|how|where|when|are you)\b)",
    re.IGNORECASE,
)
AND = re.compile(r",? (?:and|&|\+|plus) |, ", re.IGNORECASE)

# "I can't make it at 6. Can we do 7?" is one wish; it ends where what they want instead begins.
SOFT_CANCEL = re.compile(
    r"\b(?:can'?t|cannot|won'?t|not)\b.{0,20}?\b(?:make|come|able|coming)\b[^,.;?!]*?(?:[,.;?!]|\bcan\b|\bso\b|\bbut\b)",
    re.IGNORECASE,
)


def clauses(text: str, services: Sequence[Service]) -> list[str]:
    """One string per wish."""
    if SOFT_CANCEL.search(text):
        return [text]
    found = [clause for clause in BREAKS.split(text) if re.search(r"\w", clause)] or [text]
    return [part for clause in found for part in per_service(clause, services)]


def per_service(clause: str, services: Sequence[Service]) -> list[str]:
    """ "yoga tomorrow 6pm and spin friday 7am" is two wishes; "yoga and spin" may be one."""
    parts = AND.split(clause)
    if len(parts) > 1 and all(len(services_in(part, services)) == 1 and re.search(r"\d", part) for part in parts):
        return [parts[0], *(f"book {part}" if "book" in parts[0].lower() else part for part in parts[1:])]
    return [clause]
