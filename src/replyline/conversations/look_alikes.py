"""Characters that cost double, for look-alikes that do not: our own smart encoding.

One character outside GSM-7 moves the whole text to 70 instead of 160 characters a segment. Twilio's table is where this
begins; what it does to the meaning of a text is undone (SET_RIGHT), and what it lacks is added (MORE). Letters of other
languages and their accents stay.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import normalize

from replyline.conversations.segments import GSM_7_BASIC, GSM_7_EXTENSION, Encoding, measure
from replyline.conversations.smart_encoding import TWILIO, by_character


@dataclass(frozen=True, kw_only=True, slots=True)
class Replacement:
    """One character, or a letter with its accents, and what stands for it."""

    at: int  # where it stood, from 0
    found: str
    by: str


def smart(body: str) -> str:
    """The body in fewer segments if look-alikes make it so, else as it is."""
    return with_replacements(body, worthwhile(body))


def worthwhile(body: str) -> list[Replacement]:
    """The replacements that make it fewer segments; none when they do not.

    Where a text stays in UCS-2 all the same, with an emoji or in Japanese, look-alikes would change it for nothing, and
    the joiners in it hold families and Persian words together. Letters are put together with their accents even so.
    """
    size = measure(body)
    if size.encoding is Encoding.GSM_7:
        return []
    found = replacements_in(body)
    if measure(with_replacements(body, found)).encoding is not Encoding.GSM_7:
        found = [each for each in found if len(each.found) > 1]
    return found if measure(with_replacements(body, found)).segments < size.segments else []


def replacements_in(body: str) -> list[Replacement]:
    """Every character of the body that a look-alike can stand for, in order."""
    letters = {each.at: each for each in foreign_letters(body)}
    for found in ODD.finditer(body):
        if (plain := plainly(found)) != found[0]:
            letters[found.start()] = Replacement(at=found.start(), found=found[0], by=plain)
    return [letters[at] for at in sorted(letters)]


def with_replacements(body: str, replacements: list[Replacement]) -> str:
    """The body with these in it; they are in order and do not overlap."""
    kept, done = [], 0
    for each in replacements:
        kept += [body[done : each.at], each.by]
        done = each.at + len(each.found)
    return "".join([*kept, body[done:]])


def plainly(found: re.Match[str]) -> str:
    """What stands for a match of ODD, which may hang on its neighbours."""
    text, before, after = found.string, found.string[: found.start()][-1:], found.string[found.end() :][:1]
    character = found[0]
    if len(character) > 1:  # a letter and its accents, as Macs write file names: one letter where there is one
        return normalize("NFC", character)
    if character in "\u2014\u2015" and before.isalnum() and after.isalnum():
        return " - "  # "yes—come": a bare hyphen would make one word of it
    if character in FRACTIONS and before.isdigit():
        return f" {LOOK_ALIKES[character]}"  # "1½" is not "11/2"
    if character in POWERS and not is_unit(text, found.start()):
        return character  # "m²" may be m2, and 10² is not 102
    return LOOK_ALIKES.get(character, character)


def is_unit(text: str, end: int) -> bool:
    """Whether a unit of length stands before this place: m, cm, ft."""
    return bool(re.search(r"(?<![^\W\d_])(?:[cdkm]?m|ft|in|yd|mi)\Z", text[max(end - 4, 0) : end]))


def foreign_letters(body: str) -> Iterator[Replacement]:
    """Cyrillic and Greek letters that look like Latin ones.

    Greek capitals are written so in GSM-7 anyway: its alphabet has only those that Latin lacks (3GPP TS 23.038 §6.2.1).
    Cyrillic ones are slips of a keyboard, or tricks, where their word has Latin letters too; other words are Russian.
    """
    for found in GREEK_CAPITAL.finditer(body):
        yield Replacement(at=found.start(), found=found[0], by=GREEK[found[0]])
    if CYRILLIC_LOOK_ALIKE.search(body) is None:
        return
    for word in WORD.finditer(body):
        if LATIN.search(word[0]) and set(CYRILLIC_LETTER.findall(word[0])) <= CYRILLIC.keys():
            for found in CYRILLIC_LETTER.finditer(word[0]):
                yield Replacement(at=word.start() + found.start(), found=found[0], by=CYRILLIC[found[0]])


def compatible(*ranges: tuple[int, int]) -> dict[str, str]:
    """The plain forms that Unicode itself gives."""
    return {chr(code): normalize("NFKC", chr(code)) for first, last in ranges for code in range(first, last + 1)}


# Accents that Twilio makes signs of; the click of a Khoisan language, which is a letter.
STAYS = set(map(chr, range(0x0300, 0x0370))) | set("\u1dcd\u20d2\u20d3\u20e5\u01c3")
SET_RIGHT = {
    "\n": "2028-2029",  # a line's end stays one
    " ": "0009 00A0 2000-200A 202F 205F 3000",  # one space, where Twilio has two, and seven for a tab
    "": "0000-0008 000E-001F 007F-009F",  # what a keyboard never writes
    "'": "201A 2039 203A",  # ‚so‘ and ‹so›: quotes, and not a comma or greater and less
}
MORE = {
    "": "00AD 061C 200B-200F 202A-202E 2060 2066-2069 FE0E-FE0F FEFF",  # breaks, directions, how to show the one before
    '"': "2033 2036",
    "'": "2032 2035 A78C",
    "-": "2011 2012 2212 FE58",
    "*": "2217 FE61",
    "x": "00D7 2715 2716",
    "->": "2192 279C 27A1 2794",
    "<-": "2190",
    "=>": "21D2",
    "<=": "2264",
    ">=": "2265",
    "+/-": "00B1",
    "??": "2047",
    "?!": "2048",
    "!?": "2049",
    "..": "2025",
    "(C)": "00A9",
    "(R)": "00AE",
    "(TM)": "2122",
    "No.": "2116",
    "c/o": "2105",
    "Ω": "2126",
    "Δ": "2206",
    "Σ": "2211",
    "Π": "220F",
    "1/3": "2153",
    "2/3": "2154",
    "1/8": "215B",
    "3/8": "215C",
    "5/8": "215D",
    "7/8": "215E",
    "2": "00B2",
    "3": "00B3",
    ";": "037E",  # the Greek question mark, which looks like this
}
# Full-width letters and signs, ligatures, Roman numerals, Kelvin's and Angstrom's signs, and bold and italic
# "mathematical" letters, which people and models write for emphasis.
BY_UNICODE = compatible((0xFF01, 0xFF5E), (0xFB00, 0xFB06), (0x2160, 0x217F), (0x212A, 0x212B), (0x1D400, 0x1D7FF))
GREEK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True))
CYRILLIC = dict(zip("АВЕКМНОРСТХаеорсухѕіјЅІЈ", "ABEKMHOPCTXaeopcyxsijSIJ", strict=True))

IN_GSM_7 = set(GSM_7_BASIC + GSM_7_EXTENSION)
LOOK_ALIKES = {
    character: plain
    for character, plain in (TWILIO | BY_UNICODE | by_character(SET_RIGHT, MORE)).items()
    if character not in STAYS and IN_GSM_7.issuperset(plain)
}
FRACTIONS = {character for character, plain in LOOK_ALIKES.items() if re.fullmatch(r"\d/\d", plain)}
POWERS = set("²³")

ACCENTS = "[\u0300-\u036f]"
ODD = re.compile(f"[^\\W\\d_]{ACCENTS}+|[^{re.escape(GSM_7_BASIC + GSM_7_EXTENSION)}](?!{ACCENTS})")
WORD = re.compile(r"[^\W\d_]+")
LATIN = re.compile("[A-Za-z]")
GREEK_CAPITAL = re.compile(f"[{''.join(GREEK)}](?!{ACCENTS})")
CYRILLIC_LETTER = re.compile("[\u0400-\u052f]")
CYRILLIC_LOOK_ALIKE = re.compile(f"[{''.join(CYRILLIC)}]")
