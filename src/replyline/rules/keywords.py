"""STOP, START, HELP and their kin: heard before any model reads the text."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
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
    matched_by: Literal["twilio", "per_se", "list", "phrase"]  # whose list the word is on, or that they said it freely
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
# Ways of writing those that carriers' lists have (keywords.csv has more, by language).
WRITTEN_AS = dict.fromkeys(("opt me out", "stop all", "unsub", "unsubscribe me", "remove me"), Keyword.STOP)
# What may stand around a stop word: "STOP PLEASE", "ok stop". Not around words that also answer a business's question.
COURTESIES = {
    *(
        "please",
        "pls",
        "plz",
        "now",
        "thanks",
        "thank",
        "you",
        "thx",
        "ty",
        "ok",
        "okay",
        "no",
        "it",
        "sir",
        "hi",
        "hey",
    ),
    *(
        "svp",
        "merci",
        "bitte",
        "danke",
        "por",
        "favor",
        "gracias",
        "grazie",
        "aub",
        "alsjeblieft",
        "prosze",
        "obrigado",
    ),
}
COLLIDING = {"cancel", "end", "quit", "revoke", "yes", "remove", "cancelar", "annulla", "iptal", "batal"}
# Words for cancelling in other languages are no carrier's, and answer questions too (compliance.md §6).
CANCELLING = {"cancelar", "annulla", "iptal", "batal", "取消", "إلغاء"}
TAKES_BACK = dict.fromkeys(("texts ok", "text ok", "texts okay"), Keyword.START)  # the answer to our clarification
Words = Mapping[str, Keyword]  # more words than Twilio's, as they are compared
NO_MORE: Words = {}

# https://support.twilio.com/hc/en-us/articles/360058144374: the toll-free network takes only these back in.
REOPEN_TOLL_FREE = {"start", "unstop"}

STROKED = {"ł": "l", "ø": "o", "đ": "d", "ı": "i"}  # what Unicode does not take apart into a letter and an accent
VARIATION_SELECTORS = "\ufe0e\ufe0f"  # whether the character before is shown as text or as an emoji
LONGEST_KEYWORD = 40  # characters, with the courtesies around it
SIGNATURE = re.compile(r"\n[ \t]*(?:--|sent from my\b|get outlook for\b)", re.IGNORECASE)


def hear(body: str, sender: SenderKind | None = None, words: Words = NO_MORE) -> Heard | None:
    """The keyword a text consists of, in any case, with punctuation, quotes, emoji or a signature around it.

    `sender` is what the person wrote to: on a toll-free number YES does not undo a STOP, at Twilio or here.
    """
    if len(body) > LONGEST_BODY:
        return None  # no SMS, and thousands of accents take seconds to compare
    said = normalised(body)
    found = look_up(said, words)
    if found is None and len(said) <= LONGEST_KEYWORD and (plain := look_up(plainest(said), words)):
        found = plain[0], "list"  # Twilio's own list takes its words alone
    if found is None or (said == "yes" and sender is SenderKind.TOLL_FREE):
        return None
    kind, matched_by = found
    return Heard(
        kind=kind,
        word=" ".join(body.split())[:40],
        matched_by=matched_by,
        only_if_opted_out=kind is Keyword.START,
    )


def answers_questions_too(word: str, action_words: Iterable[str]) -> bool:
    """Whether a word that stops all texts may have meant our question: the line's own words, and "cancel" in languages."""
    said = normalised(word)
    return said in {normalised(each) for each in (*action_words, *CANCELLING)}


def takes_back(word: str) -> bool:
    """Whether a word answers our clarification: texts are fine after all."""
    return normalised(word) in TAKES_BACK


def look_up(said: str, words: Words) -> tuple[Keyword, Literal["twilio", "per_se", "list"]] | None:
    if kind := TWILIO_DEFAULTS.get(said):
        return kind, "twilio"
    if kind := PER_SE.get(said):
        return kind, "per_se"
    if kind := WRITTEN_AS.get(said) or TAKES_BACK.get(said) or words.get(said):
        return kind, "list"
    return None


def plainest(said: str) -> str:
    """A keyword without courtesies around it, said once and not letter by letter; nothing when it is no such thing."""
    spoken = said.split()
    if len(spoken) > 2 and all(len(each) == 1 for each in spoken):
        return "".join(spoken)
    while spoken and spoken[0] in COURTESIES:
        spoken.pop(0)
    while spoken and spoken[-1] in COURTESIES:
        spoken.pop()
    plain = spoken[0] if len(set(spoken)) == 1 else " ".join(spoken)
    return "" if plain in COLLIDING else plain


def words_of(rows: Iterable[Mapping[str, str]], languages: Collection[str]) -> Words:
    """The keywords of keywords.csv: those that somebody's list has, and all of those languages.

    Where no list was found, a word is a translation that needs a native reader before it blocks anyone (compliance.md §10).
    """
    return {
        normalised(row["keyword"]): Keyword(row["kind"])
        for row in rows
        if not row["source"].startswith("unsourced") or row["language"].partition("-")[0] in languages
    }


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
    if character in STROKED:
        return STROKED[character]
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
