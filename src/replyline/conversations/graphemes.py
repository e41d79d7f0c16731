"""What a reader takes for one character: a letter with its accents, a flag, a family of four."""

from functools import lru_cache
from unicodedata import category

ZERO_WIDTH_JOINER = "\u200d"
# Marks that stand alone all the same: vowels and tones of Burmese and its kin (UAX 29, the exceptions to SpacingMark).
STANDS_ALONE = frozenset(
    "\u102b\u102c\u1038\u1062\u1063\u1064\u1067\u1068\u1069\u106a\u106b\u106c\u106d\u1083\u1087\u1088\u1089\u108a\u108b"
    "\u108c\u108f\u109a\u109b\u109c\u1a61\u1a63\u1a64\uaa7b\uaa7d\U00011720\U00011721"
)
# What belongs to the character after it: Arabic signs below a number, and their like.
LEADS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\u0d4e\U000110bd\U000111c2\U000111c3")
# Korean: which letters go on the syllable begun before them. L leads, V is a vowel, T ends; LV and LVT are syllables.
GOES_ON = {"L": ("L", "V", "LV", "LVT"), "LV": ("V", "T"), "V": ("V", "T"), "LVT": ("T",), "T": ("T",)}
LETTERS = {
    "L": (("\u1100", "\u115f"), ("\ua960", "\ua97c")),
    "V": (("\u1160", "\u11a7"), ("\ud7b0", "\ud7c6")),
    "T": (("\u11a8", "\u11ff"), ("\ud7cb", "\ud7fb")),
}
# What belongs to the character before it without being a mark: a Thai and a Lao vowel, joiners, half-width voicing
# marks, skin tones, the letters inside the flags of England and Texas.
ATTACHED = (
    ("\u0e33", "\u0e33"),
    ("\u0eb3", "\u0eb3"),
    ("\u200c", "\u200d"),
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
    if cluster[-1] in LEADS:
        return category(character) not in {"Cc", "Zl", "Zp"}
    if character < "\u0300":
        return character == "\n" and cluster == "\r"
    if is_attached(character):
        return cluster not in ("\r", "\n", "\r\n")
    if is_flag_half(character):
        return is_flag_half(cluster)
    if kind := hangul(character):
        return kind in GOES_ON.get(hangul(cluster[-1]), ())
    return cluster[-1] == ZERO_WIDTH_JOINER and category(character) == "So"


@lru_cache(maxsize=4096)
def is_attached(character: str) -> bool:
    if character in STANDS_ALONE:
        return False
    return category(character)[0] == "M" or any(first <= character <= last for first, last in ATTACHED)


def is_flag_half(cluster: str) -> bool:
    return len(cluster) == 1 and "\U0001f1e6" <= cluster <= "\U0001f1ff"


@lru_cache(maxsize=4096)
def hangul(character: str) -> str:
    """L, V, T, LV, LVT, or nothing for what is not Korean."""
    if "\uac00" <= character <= "\ud7a3":
        return "LVT" if (ord(character) - 0xAC00) % 28 else "LV"
    kinds = (kind for kind, spans in LETTERS.items() if any(first <= character <= last for first, last in spans))
    return next(kinds, "")
