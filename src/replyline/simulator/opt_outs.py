"""Twilio's own opt-out list: what it does by itself when somebody writes STOP, START or HELP.

https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
"""

from dataclasses import dataclass, field
from enum import StrEnum

from replyline.phone_numbers import SenderKind
from replyline.simulator.account import MessagingService, Number


class Keyword(StrEnum):
    """What a keyword asks for; also the value of OptOutType."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


WORDS = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), Keyword.STOP),
    **dict.fromkeys(("START", "YES", "UNSTOP"), Keyword.START),
    **dict.fromkeys(("HELP", "INFO"), Keyword.HELP),
}
ANSWERS = {
    Keyword.STOP: "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe.",
    Keyword.START: "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
    "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    Keyword.HELP: "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}
TOLL_FREE_ANSWERS = {
    Keyword.STOP: 'NETWORK MSG: You replied with the word "{word}" which blocks all texts sent from this number. '
    'Text back "unstop" to receive messages again.',
    Keyword.START: 'NETWORK MSG: You have replied "{word}" and will begin receiving messages again from this number.',
    Keyword.HELP: ANSWERS[Keyword.HELP],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Heeded:
    """A keyword Twilio acted on."""

    keyword: Keyword
    has_changed: bool  # whether the phone is blocked now and was not before, or the other way round
    answer: str | None
    opt_out_type: str | None  # for the webhook; only Advanced Opt-Out says


@dataclass
class OptOuts:
    """Pairs of a phone and what it blocked: one sender, or a whole messaging service."""

    blocked: set[tuple[str, str]] = field(default_factory=set)

    def blocks(self, phone: str, number: str, service: MessagingService | None) -> bool:
        return (phone, service.sid if service else number) in self.blocked

    def block(self, phone: str, number: str, service: MessagingService | None) -> None:
        self.blocked.add((phone, service.sid if service else number))

    def unblock(self, phone: str, number: str, service: MessagingService | None) -> None:
        self.blocked.discard((phone, service.sid if service else number))

    def heed(self, phone: str, number: Number, service: MessagingService | None, body: str) -> Heeded | None:
        """Act on a text if it is nothing but a keyword that this sender's kind knows."""
        word = body.strip().upper()
        keyword = WORDS.get(word)
        is_advanced = service is not None and service.advanced_opt_out
        if keyword is None or (number.kind is SenderKind.SHORT_CODE and not is_advanced):
            return None
        if number.kind is SenderKind.TOLL_FREE and word == "YES":
            return None  # the toll-free network knows START and UNSTOP only
        pair = (phone, service.sid if service else number.address)
        was_blocked = pair in self.blocked
        if keyword is Keyword.STOP:
            self.blocked.add(pair)
        elif keyword is Keyword.START:
            self.blocked.discard(pair)
        has_changed = (pair in self.blocked) is not was_blocked
        if keyword is Keyword.HELP:
            is_answered = not (number.kind is SenderKind.TOLL_FREE and was_blocked)
        else:  # a YES that undoes nothing is part of a conversation
            is_answered = has_changed or is_advanced
        return Heeded(
            keyword=keyword,
            has_changed=has_changed,
            answer=answer_to(keyword, word, number.kind) if is_answered else None,
            opt_out_type=keyword.value if is_advanced else None,
        )


def answer_to(keyword: Keyword, word: str, kind: SenderKind) -> str:
    texts = TOLL_FREE_ANSWERS if kind is SenderKind.TOLL_FREE else ANSWERS
    return texts[keyword].format(word=word.lower())
