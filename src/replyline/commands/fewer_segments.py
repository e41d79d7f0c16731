"""Ways to say the same in fewer segments, the one that changes least first."""

from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import normalize

from replyline.conversations.look_alikes import Replacement, replacements_in, with_replacements, worthwhile
from replyline.conversations.segments import Encoding, encoding_of, measure, room_in, split, units_in
from replyline.conversations.smart_encoding import TWILIO, smart_encoded
from replyline.turns.emoji import without_emoji


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way, how many segments it comes to, and what it replaces."""

    name: str
    segments: int
    base: str  # the text, or the text without its emoji: what the replacements are in
    body: str
    replacements: list[Replacement]


def ways_to_fewer(body: str) -> list[Way]:
    """Each takes fewer segments than those before it."""
    best = measure(body).segments
    kept: list[Way] = []
    for each in ways(body):
        if each.segments < best:
            best = each.segments
            kept.append(each)
    return kept


def ways(body: str) -> Iterator[Way]:
    """Look-alikes; without emoji too; with other letters than the right ones too."""
    yield way("look-alikes", body, worthwhile(body))
    bare = without_emoji(body)
    if bare.strip() and bare != body:
        yield way("no emoji", bare, worthwhile(bare))
    bare = bare if bare.strip() else body
    yield way("plain letters", bare, [*replacements_in(bare), *unaccented(bare)])


def way(name: str, base: str, replacements: list[Replacement]) -> Way:
    by_place = {each.at: each for each in replacements}
    ordered = [by_place[at] for at in sorted(by_place)]
    replaced = with_replacements(base, ordered)
    return Way(name=name, segments=measure(replaced).segments, base=base, body=replaced, replacements=ordered)


def unaccented(body: str) -> Iterator[Replacement]:
    """Letters that GSM-7 lacks, as the letter below their accents: á, ç, ő."""
    for at, letter in enumerate(body):
        bare = normalize("NFD", letter)[0]
        if bare != letter and bare.isalpha() and bare.isascii() and encoding_of(letter) is Encoding.UCS_2:
            yield Replacement(at=at, found=letter, by=bare)


def by_twilio(body: str) -> Way:
    """What SmartEncoded makes of it, be that fewer or more."""
    found = [Replacement(at=at, found=each, by=TWILIO[each]) for at, each in enumerate(body) if each in TWILIO]
    replaced = smart_encoded(body)
    return Way(name="Twilio", segments=measure(replaced).segments, base=body, body=replaced, replacements=found)


def saved_alone(way: Way, kind: tuple[str, str]) -> int:
    """How many segments one kind of its replacements saves when nothing else is replaced."""
    these = [each for each in way.replacements if (each.found, each.by) == kind]
    return measure(way.base).segments - measure(with_replacements(way.base, these)).segments


def units_too_many(body: str) -> int:
    """How much shorter it has to be for one segment fewer."""
    encoding, parts = encoding_of(body), split(body)
    if len(parts) == 2:
        return units_in(body, encoding) - room_in(encoding)[0]
    return units_in(parts[-1], encoding)
