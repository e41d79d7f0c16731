"""STOP, START, HELP and their kin: heard before any model reads the text."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from replyline.conversations.segments import LONGEST_BODY
from replyline.phone_numbers import SenderKind


class Keyword(StrEnum):
    """What a person may ask of the line itself, rather than of the business."""

    STOP = "stop"  # no more texts
    START = "start"  # texts again
    HELP = "help"  # who is this, and how do I stop it


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """A keyword in a text."""

    kind: Keyword
    word: str  # as the person wrote it, for the record of consent
    matched_by: Literal["twilio", "per_se"]  # whose list the word is on
    only_if_opted_out: bool = False  # from anybody else "yes" is an answer, and the turn must get it


# Twilio's default words: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out. CANCEL, END and QUIT block a
# person at Twilio whatever our question was, so we block too; the law knows them as well (47 CFR 64.1200(a)(10)).
TWILIO_DEFAULTS = {
    **dict.fromkeys(("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"), Keyword.STOP),
    **dict.fromkeys(("start", "yes", "unstop"), Keyword.START),
    **dict.fromkeys(("help", "info"), Keyword.HELP),
}
# Revokes consent per se as well, with a space that Twilio's list does not have.
PER_SE = {"opt out": Keyword.STOP}

# https://support.twilio.com/hc/en-us/articles/360058144374: the toll-free network takes only these back in.
REOPEN_TOLL_FREE = {"start", "unstop"}

VARIATION_SELECTORS = "\ufe0e\ufe0f"  # whether the character before is shown as text or as an emoji
SIGNATURE = re.compile(r"\n[ \t]*(?:--|sent from my\b|get outlook for\b)", re.IGNORECASE)


def hear(body: str, sender: SenderKind | None = None) -> Heard | None:
    """The keyword a text consists of, in any case, with punctuation, quotes, emoji or a signature around it.

    `sender` is what the person wrote to: on a toll-free number YES does not undo a STOP, at Twilio or here.
    """
    if len(body) > LONGEST_BODY:
        return None  # no SMS, and thousands of accents take seconds to compare
    said = normalised(body)
    kind = TWILIO_DEFAULTS.get(said) or PER_SE.get(said)
    if kind is None or (said == "yes" and sender is SenderKind.TOLL_FREE):
        return None
    return Heard(
        kind=kind,
        word=" ".join(body.split())[:40],
        matched_by="twilio" if said in TWILIO_DEFAULTS else "per_se",
        only_if_opted_out=kind is Keyword.START,
    )


def normalised(body: str) -> str:
    """A text as keywords are compared: one spelling, small letters, no accents, single spaces, nothing around it."""
    # With nothing before it, what looks like a signature is the text.
    return compared(SIGNATURE.split(body, maxsplit=1)[0]) or compared(body)


def compared(written: str) -> str:
    if written.isascii():  # most texts, and every one of them passes here
        return " ".join(written.lower().translate(ASCII_AS_COMPARED).split())
    folded = unicodedata.normalize("NFKD", written).casefold()
    return " ".join("".join(map(as_compared, folded)).split())


def as_compared(character: str) -> str:
    """Letters, digits and the vowel signs of other scripts stay; accents and invisible characters go without a gap."""
    kind = unicodedata.category(character)
    if kind == "Cf" or unicodedata.combining(character):
        return ""
    return character if kind[0] in "LMN" and character not in VARIATION_SELECTORS else " "


ASCII_AS_COMPARED = str.maketrans({character: as_compared(character) for character in map(chr, range(128))})


def twilio_answers(word: str, sender: SenderKind, opt_out_type: str | None = None) -> bool:
    """Whether Twilio itself has answered this text, so that an answer of ours would be a second one, or be refused.

    `opt_out_type` is the webhook's OptOutType, which only Advanced Opt-Out sets: Twilio has then answered whatever the
    word was. Otherwise it answers its default words standing alone, and never on short codes and other channels.
    """
    if opt_out_type:
        return True
    said = word.strip().casefold()
    match sender:
        case SenderKind.LONG_CODE | SenderKind.MESSAGING_SERVICE:
            return said in TWILIO_DEFAULTS
        case SenderKind.TOLL_FREE:
            return said in TWILIO_DEFAULTS and (TWILIO_DEFAULTS[said] is not Keyword.START or said in REOPEN_TOLL_FREE)
        case _:
            return False
