"""How many segments a text takes. Each is paid, and a single odd character can double them.

As Twilio's segment calculator counts (github TwilioDevEd/message-segment-calculator), whose answers are kept in
tests/conversations/calculator. The alphabet and its escape are 3GPP TS 23.038 §6.2.1, parts and their header 3GPP TS
23.040 §9.2.3.24.1: a part is 1120 bits; when there are several, each gives 48 of them to a header that joins them
again on the phone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from replyline.conversations.graphemes import graphemes

GSM_7_ALONE, GSM_7_JOINED = 160, 153  # septets in a part that is alone, and in one of several
UCS_2_ALONE, UCS_2_JOINED = 70, 67  # 16-bit units
LONGEST_BODY = 1600  # characters; Twilio refuses more with 21617, however few segments they take

GSM_7_BASIC = (
    "\n\r !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
    "¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ"
)
GSM_7_EXTENSION = "\f^{}\\[~]|€"  # two septets each: an escape, then the character

BASIC_ONLY = re.compile(f"[{re.escape(GSM_7_BASIC)}]*")
GSM_7_ONLY = re.compile(f"[{re.escape(GSM_7_BASIC + GSM_7_EXTENSION)}]*")
# Stands before each character that takes two units while a text is split. Neither set above has it, nor the one below.
HALF = "\ud800"
PAIR = re.compile("[\U00010000-\U0010ffff]")  # a surrogate pair in UTF-16
# Latin, Greek, Cyrillic, Armenian, signs, Chinese, Japanese, Korean, and emoji of one code point: nothing in here is one
# character to a reader together with its neighbour, so surrogate pairs alone must stay whole. Most texts are like that.
EACH_ALONE = re.compile(
    "[\0-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u1fff\u2000-\u200b\u2010-\u205f\u20a0-\u20cf\u2100-\u2bff\u3000-\u3029"
    "\u3030-\u3098\u309b-\ua66e\uac00-\ud7a3\uff00-\uff9d\U0001f300-\U0001f3fa\U0001f400-\U0001faff]*"
)


class Encoding(StrEnum):
    """How the characters of a text travel."""

    GSM_7 = "GSM-7"  # 7 bits each; Latin letters, most of western Europe's, some Greek
    UCS_2 = "UCS-2"  # 16 bits each; everything else, and then for the whole text


@dataclass(frozen=True, kw_only=True, slots=True)
class Segments:
    """The size of a text: `units` are septets in GSM-7 and 16-bit units in UCS-2."""

    encoding: Encoding
    units: int
    segments: int


def measure(body: str) -> Segments:
    """Count a body as Twilio will bill it. An empty one, under a picture, is one segment."""
    if BASIC_ONLY.fullmatch(body):
        length = len(body)
        return BASIC[length] if length <= LONGEST_BODY else basic(length)
    encoding = encoding_of(body)
    units = units_in(body, encoding)
    alone, _ = room_in(encoding)
    return Segments(encoding=encoding, units=units, segments=1 if units <= alone else len(split(body)))


def fits(body: str, segments: int) -> bool:
    """Whether a body takes at most so many segments."""
    return measure(body).segments <= segments


def split(body: str) -> list[str]:
    """The body as its segments carry it; joined they are the body again."""
    encoding = encoding_of(body)
    alone, joined = room_in(encoding)
    if units_in(body, encoding) <= alone:
        return [body]
    if encoding is Encoding.GSM_7:
        for character in GSM_7_EXTENSION:
            body = body.replace(character, HALF + character)
        return list(pieces(body, joined))
    if EACH_ALONE.fullmatch(body):
        return list(pieces(PAIR.sub(rf"{HALF}\g<0>", body), joined))
    return list(parts_of_clusters(body))


def encoding_of(body: str) -> Encoding:
    return Encoding.GSM_7 if GSM_7_ONLY.fullmatch(body) else Encoding.UCS_2


def room_in(encoding: Encoding) -> tuple[int, int]:
    """Units in a part that is alone, and in one of several."""
    return (GSM_7_ALONE, GSM_7_JOINED) if encoding is Encoding.GSM_7 else (UCS_2_ALONE, UCS_2_JOINED)


def units_in(text: str, encoding: Encoding) -> int:
    """Septets, an extension character being two of them; or 16-bit units, of which those above U+FFFF take two."""
    if encoding is Encoding.GSM_7:
        return len(text) + sum(map(text.count, GSM_7_EXTENSION))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def pieces(halves: str, room: int) -> Iterator[str]:
    """A text in parts of so many units. One that would end within a pair ends before both and stays a unit short."""
    start = 0
    while start < len(halves):
        end = start + room
        if halves[end - 1 : end] == HALF:
            end -= 1
        yield halves[start:end].replace(HALF, "")
        start = end


def parts_of_clusters(body: str) -> Iterator[str]:
    part, room = "", UCS_2_JOINED
    for piece in whole_or_torn(body):
        size = 1 if len(piece) == 1 and piece <= "\uffff" else units_in(piece, Encoding.UCS_2)
        if size > room:
            yield part
            part, room = "", UCS_2_JOINED
        part += piece
        room -= size
    yield part


def whole_or_torn(body: str) -> Iterator[str]:
    """What a reader takes for one character, whole, and what must be torn in spite of all, character by character.

    That is CR LF, one line end to a reader and two characters to Twilio, and letters under such heaps of accents that no
    part can hold them.
    """
    for cluster in graphemes(body):
        if cluster == "\r\n" or (len(cluster) > UCS_2_JOINED // 2 and units_in(cluster, Encoding.UCS_2) > UCS_2_JOINED):
            yield from cluster
        else:
            yield cluster


def basic(length: int) -> Segments:
    parts = 1 if length <= GSM_7_ALONE else ceil(length / GSM_7_JOINED)
    return Segments(encoding=Encoding.GSM_7, units=length, segments=parts)


BASIC = [basic(length) for length in range(LONGEST_BODY + 1)]
