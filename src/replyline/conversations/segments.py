"""How many segments a text takes. Each is paid, and a single odd character can double them.

As Twilio's segment calculator counts (github TwilioDevEd/message-segment-calculator). A part is 1120 bits; when there
are several, each gives 48 of them to a header that joins them again on the phone.
"""

import re
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
ESCAPED = {ord(character): f"\x1b{character}" for character in GSM_7_EXTENSION}


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
        return Segments(encoding=Encoding.GSM_7, units=len(body), segments=parts_of_basic(len(body)))
    if GSM_7_ONLY.fullmatch(body):
        septets = body.translate(ESCAPED)
        return Segments(encoding=Encoding.GSM_7, units=len(septets), segments=parts_of_gsm_7(septets))
    return Segments(encoding=Encoding.UCS_2, units=units_of(body), segments=parts_of_ucs_2(body))


def fits(body: str, segments: int) -> bool:
    """Whether a body takes at most so many segments."""
    return measure(body).segments <= segments


def parts_of_basic(length: int) -> int:
    return 1 if length <= GSM_7_ALONE else ceil(length / GSM_7_JOINED)


def parts_of_gsm_7(septets: str) -> int:
    if len(septets) <= GSM_7_ALONE:
        return 1
    parts, start = 0, 0
    while start < len(septets):
        end = start + GSM_7_JOINED
        # An escape and its character stay together: a part that would end between them ends before both.
        start = end - 1 if septets[end - 1 : end] == "\x1b" else end
        parts += 1
    return parts


def parts_of_ucs_2(body: str) -> int:
    units = units_of(body)
    if units <= UCS_2_ALONE:
        return 1
    clusters = graphemes(body.replace("\r\n", "\n\n"))  # CR LF is two characters here, which may be parted
    if len(clusters) == units:
        return ceil(units / UCS_2_JOINED)
    parts, room = 1, UCS_2_JOINED
    for cluster in clusters:
        size = units_of(cluster)
        if size > UCS_2_JOINED:  # letters under heaps of accents: no part can hold it whole
            size -= room
            parts += ceil(size / UCS_2_JOINED)
            room = -size % UCS_2_JOINED
        elif size > room:
            parts += 1
            room = UCS_2_JOINED - size
        else:
            room -= size
    return parts


def units_of(text: str) -> int:
    """16-bit units: characters above U+FFFF take two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
