"""What a reader takes for one character: a letter with its accents, a flag, a family of four."""

from functools import lru_cache
from unicodedata import category

ZERO_WIDTH_JOINER = "\u200d"
# What belongs to the character before it without being a mark: a Thai and a Lao vowel, joiners, Hangul vowels and
# finals, half-width voicing marks, skin tones, the letters inside the flags of England and Texas.
ATTACHED = (
    ("\u0e33", "\u0e33"),
    ("\u0eb3", "\u0eb3"),
    ("\u200c", "\u200d"),
    ("\u1160", "\u11ff"),
    ("\uff9e", "\uff9f"),
    ("\U0001f3fb", "\U0001f3ff"),
    ("\U000e0020", "\U000e007f"),
)


def graphemes(text: str) -> list[str]:
    """The text in clusters that must not be torn apart; joined they are the text again.

    The rules of Unicode's UAX 29 that matter in texts, of its earlier kind as in Twilio's segment calculator: an Indic
    conjunct may be split at its virama.
    """
    clusters: list[str] = []
    for character in text:
        if clusters and belongs_to(clusters[-1], character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def belongs_to(cluster: str, character: str) -> bool:
    if character < "\u0300":
        return character == "\n" and cluster == "\r"
    if is_attached(character):
        return cluster not in ("\r", "\n", "\r\n")
    if is_flag_half(character):
        return is_flag_half(cluster)
    return cluster[-1] == ZERO_WIDTH_JOINER and category(character) == "So"


@lru_cache(maxsize=4096)
def is_attached(character: str) -> bool:
    return category(character)[0] == "M" or any(first <= character <= last for first, last in ATTACHED)


def is_flag_half(cluster: str) -> bool:
    return len(cluster) == 1 and "\U0001f1e6" <= cluster <= "\U0001f1ff"
