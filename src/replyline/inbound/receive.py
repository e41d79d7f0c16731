"""A text arrives: it is stored, STOP and its kin are heard, and a turn is scheduled, all in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from replyline.conversations import store
from replyline.conversations.store import Conversation
from replyline.conversations.text import InboundText
from replyline.costs import ledger
from replyline.costs.charge import Carried, Charge, of_text
from replyline.costs.prices import PriceList, read_prices
from replyline.db import CHANGE, wake
from replyline.db.columns import micros
from replyline.db.sets import SetStatement
from replyline.db.tables import conversations
from replyline.inbound import media
from replyline.outbound import wordings
from replyline.outbound.queue import NewText, cancel_queued, queue_text
from replyline.phone_numbers import SenderKind, sender_kind
from replyline.plugins.line import Line
from replyline.plugins.programs import Tier
from replyline.rules import are_you_human, consent, free_words, opt_in_words
from replyline.rules.facts import Purpose
from replyline.rules.keywords import (
    NO_MORE,
    Heard,
    Keyword,
    Words,
    answers_questions_too,
    hear,
    takes_back,
    twilio_answers,
)
from replyline.rules.person import person_of
from replyline.turns.schedule import turn_for
from replyline.work import Arm, arm_many

# Texts a phone may send at once before its turns are spread over time.
BURST = 10
# However much a phone wrote, it is answered within this: all of it, once.
LONGEST_WAIT = timedelta(minutes=1)
# A confirmation or help text that comes later than this would only confuse (47 CFR 64.1200(a)(12): 5 minutes).
PROMPTLY = timedelta(minutes=5)
QUESTION_IS_OPEN = timedelta(hours=24)
FOUND_LATE = "found in Twilio's list too late to be answered"

OptedOut = dict[tuple[str, str], datetime]  # since when, by line and phone


class Received(StrEnum):
    """What became of one inbound text."""

    NEW = "new"  # stored; a turn will answer it
    LATER = "later"  # stored; this phone has used up its rate of turns, and is answered when it may cause one again
    AGAIN = "again"  # Twilio repeated itself; the first delivery did the work
    HEEDED = "heeded"  # STOP, START, HELP: never the model's business
    QUIET = "quiet"  # stored, and not answered: they opted out, or a person of the business answers
    LATE = "late"  # found in Twilio's list, stored, and not answered: it was written too long ago


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """One inbound text and the line it was written to."""

    line: Line
    text: InboundText
    secret: bytes = b""  # keys the hashes of people whose number was erased
    words: Words = field(default_factory=lambda: NO_MORE)  # keywords of carriers' lists and of the line's languages
    prices: PriceList = field(default_factory=read_prices)


def receive(conn: Connection, arrivals: Sequence[Arrival]) -> list[Received]:
    """Store inbound texts and let turns answer them; one answer for each, in their order."""
    now = max(arrival.text.received_at for arrival in arrivals)
    found = store.find_or_start(conn, [key_of(arrival) for arrival in arrivals], now)
    added = store.add_inbound(conn, [(arrival.text, found[key_of(arrival)]) for arrival in arrivals])
    ledger.charge(
        conn,
        [charge_of(each, found[key_of(each)], added[each.text.sid]) for each in arrivals if each.text.sid in added],
    )
    opted_out = {(c.line, c.phone): c.opted_out_since for c in found.values() if c.opted_out_since}
    to_answer: list[tuple[Arrival, Conversation]] = []
    results = []
    for arrival in arrivals:
        conversation = found[key_of(arrival)]
        text_id = added.pop(arrival.text.sid, None)
        result = take_in(conn, arrival, conversation, text_id, opted_out) if text_id else Received.AGAIN
        if result is Received.NEW:
            to_answer.append((arrival, conversation))
        results.append(result)
    put_off = schedule_turns(conn, to_answer) if to_answer else set()
    if any(result is not Received.AGAIN for result in results):
        wake(conn, CHANGE)
    return [
        Received.LATER if result is Received.NEW and found[key_of(arrival)].id in put_off else result
        for arrival, result in zip(arrivals, results, strict=True)
    ]


def charge_of(arrival: Arrival, conversation: Conversation, text_id: str) -> Charge:
    """What this text costs us: Twilio charges for what comes in, too."""
    text = arrival.text
    arrived = Carried(
        id=text_id,
        line=conversation.line,
        conversation_id=conversation.id,
        is_inbound=True,
        phone=text.phone,
        our_address=text.our_address,
        messaging_service_sid=text.messaging_service_sid,
        segments=text.segments,
        has_pictures=bool(text.pictures),
        purpose=None,
        program=None,
        at=text.received_at,
    )
    return of_text(arrived, arrival.prices)


def take_in(
    conn: Connection, arrival: Arrival, conversation: Conversation, text_id: str, opted_out: OptedOut
) -> Received:
    """Heed a keyword, note the pictures, or leave the text to a turn."""
    text = arrival.text
    person = (conversation.line, conversation.phone)
    if text.pictures:
        media.fetch_later(conn, text_id, text.noted_at)
    heard = hear_in(conn, conversation, text, arrival.words)
    if heard is not None and heard.kind is Keyword.START and person not in opted_out:
        remember_suppressed(conn, arrival, conversation, opted_out)
    if heard is not None and is_meant(heard, text, opted_out.get(person)):
        asked = heard.kind is Keyword.STOP and may_answer_our_question(conn, arrival, conversation, heard)
        why = heed(conn, arrival, conversation, text_id, heard, opted_out, is_answered_by_turn=asked)
        if (
            asked
        ):  # all texts have stopped; the turn does what they may have meant, and says so in the one text they get
            store.clarify_until(conn, conversation.id, text.received_at + PROMPTLY)
            return Received.NEW
        store.mark_handled(conn, [text_id], text.noted_at, why=why)
        return Received.HEEDED
    if person not in opted_out and has_joined(conn, arrival, conversation, text_id):
        store.mark_handled(conn, [text_id], text.noted_at, why="they confirmed what they signed up for")
        return Received.HEEDED
    if person in opted_out:
        store.mark_handled(conn, [text_id], text.noted_at, why="they have opted out")
        return Received.QUIET
    if conversation.taken_over_by:
        store.mark_handled(conn, [text_id], text.noted_at, why="a person answers here")
        return Received.QUIET
    if is_found_later_than(timedelta(seconds=arrival.line.late_after), text):
        store.mark_handled(conn, [text_id], text.noted_at, why=FOUND_LATE)
        return Received.LATE
    if are_you_human.asks_only(text.body) and not text.pictures:
        tell_that_an_ai_answers(conn, arrival, conversation)
        store.mark_handled(conn, [text_id], text.noted_at, why="they asked whether a person writes here")
        return Received.HEEDED
    if are_you_human.asks(text.body):
        store.introduce_again(conn, conversation.contact_id)  # the answer to the rest will say it
    return Received.NEW


def remember_suppressed(conn: Connection, arrival: Arrival, conversation: Conversation, opted_out: OptedOut) -> None:
    """Somebody who opted out and had their number erased is known by its hash alone; START is theirs to say too."""
    since = consent.suppressed_since(conn, conversation.line, person_of(conversation.phone, arrival.secret))
    if since is not None:
        opted_out[conversation.line, conversation.phone] = since


def tell_that_an_ai_answers(conn: Connection, arrival: Arrival, conversation: Conversation) -> None:
    """The truth, whatever persona the line's instructions give the model."""
    line, text = arrival.line, arrival.text
    contact = f" To reach a person: {line.contact}." if line.contact else ""
    body = f"I'm an AI assistant that answers texts for {line.name}, not a person.{contact}"
    say_back(conn, conversation, text, body, Purpose.CONVERSATIONAL_REPLY)


def has_joined(conn: Connection, arrival: Arrival, conversation: Conversation, text_id: str) -> bool:
    """Whether a text says yes to our question, still fresh, whether they want what they signed up for.

    JOIN says so whatever came between; any other yes only right after the question (compliance.md §6).
    """
    text, line = arrival.text, arrival.line
    answer = opt_in_words.answer_in(text.body)
    if answer is None:
        return False
    question = store.last_of_ours(conn, conversation.id, Purpose.OPT_IN.value)
    # What is found late may be older than the question, and says nothing to it.
    if question is None or not timedelta() <= text.received_at - question.created_at <= opt_in_words.FRESH:
        return False
    if answer is opt_in_words.Answer.YES:
        last = store.last_of_ours(conn, conversation.id)
        if last is None or last.id != question.id:
            return False
    whose = consent.Whose(line=conversation.line, phone=conversation.phone)
    program = question.program or ""
    word = " ".join(text.body.split())[:40]
    given: Any = {"word": word, "text_id": text_id, "question": question.id}
    confirmed = consent.confirm(conn, whose, program=program, now=text.received_at, **given)
    if confirmed:
        body = wordings.welcome(line, program, is_marketing=confirmed is Purpose.MARKETING)
        say_back(conn, conversation, text, body, Purpose.OPT_IN, program)
    return confirmed is not None


def is_meant(heard: Heard, text: InboundText, opted_out_since: datetime | None) -> bool:
    """Whether to act on a keyword. A START that is found late, and is older than their STOP, is over."""
    if not heard.only_if_opted_out:
        return True
    return opted_out_since is not None and text.received_at >= opted_out_since


def is_found_later_than(long: timedelta, text: InboundText) -> bool:
    return text.found_at is not None and text.found_at - text.received_at > long


def hear_in(conn: Connection, conversation: Conversation, text: InboundText, words: Words) -> Heard | None:
    """The keyword in a text, or an opt-out in free words.

    What Advanced Opt-Out says it matched counts, whatever words the account has set there.
    """
    word = " ".join(text.body.split())[:200]
    if text.opt_out_type in {"STOP", "START", "HELP"}:
        return Heard(kind=Keyword[text.opt_out_type], word=word, matched_by="twilio")
    if heard := hear(text.body, sender_kind(text.our_address), words):
        return heard
    if free_words.asks_to_stop(text.body) or (
        free_words.is_thumbs_down(text.body) and asked_whether_to_go_on(conn, conversation)
    ):
        return Heard(kind=Keyword.STOP, word=word, matched_by="phrase")
    return None


def may_answer_our_question(conn: Connection, arrival: Arrival, conversation: Conversation, heard: Heard) -> bool:
    """Whether a stop may have been the answer to what we asked last, and Twilio has not acted on it (compliance.md §6)."""
    text = arrival.text
    if text.opt_out_type or text.found_at is not None or conversation.opted_out_since or conversation.taken_over_by:
        return False
    if not answers_questions_too(heard.word, arrival.line.action_words):
        return False
    last = store.last_of_ours(conn, conversation.id)
    return last is not None and "?" in last.body and text.received_at - last.created_at < QUESTION_IS_OPEN


def asked_whether_to_go_on(conn: Connection, conversation: Conversation) -> bool:
    """Whether the last thing we said was the question whether they still want our texts."""
    last = store.last_of_ours(conn, conversation.id)
    return last is not None and free_words.asks_whether_to_go_on(last.body)


def heed(
    conn: Connection,
    arrival: Arrival,
    conversation: Conversation,
    text_id: str,
    heard: Heard,
    opted_out: OptedOut,
    *,
    is_answered_by_turn: bool = False,
) -> str:
    """Do what a keyword asks for; gives what became of it."""
    line, text = arrival.line, arrival.text
    whose = consent.Whose(line=conversation.line, phone=conversation.phone)
    at = text.received_at
    how: Any = {"word": heard.word, "matched_by": heard.matched_by, "text_id": text_id}
    if heard.kind is Keyword.STOP:
        if text.found_at is not None and has_come_back_since(conn, conversation, at):
            consent.record(conn, whose, now=at, kind="opt_out", source="keyword", **how)
            return "heard as stop, and they wrote START after it"
        consent.opt_out(conn, whose, now=at, source="keyword", **how)
        store.clarify_until(conn, conversation.id, None)
        cancel_queued(conn, line=whose.line, phone=whose.phone, now=text.noted_at, why="they opted out")
        opted_out.setdefault((whose.line, whose.phone), at)
    elif heard.kind is Keyword.START:
        consent.reopen(conn, whose, now=at, person=person_of(whose.phone, arrival.secret), **how)
        opted_out.pop((whose.line, whose.phone), None)
        store.clarify_until(conn, conversation.id, None)
        if answers_clarification(conn, conversation, heard):
            notices = consent.OptIn(purpose=Purpose.TRANSACTIONAL, tier=Tier.EXPRESS, source="keyword")
            consent.opt_in(conn, whose, notices, now=at)
    else:
        consent.record(conn, whose, now=at, kind="help", source="keyword", **how)
    if not is_answered_by_turn and not is_answered(text, heard):
        answer(conn, line, conversation, text, heard)
    return f"heard as {heard.kind.value}"


def answers_clarification(conn: Connection, conversation: Conversation, heard: Heard) -> bool:
    """Whether they want our notices after all, having been asked in so many words."""
    last = store.last_of_ours(conn, conversation.id)
    return takes_back(heard.word) and last is not None and last.purpose == Purpose.OPT_OUT_CONFIRMATION.value


def has_come_back_since(conn: Connection, conversation: Conversation, moment: datetime) -> bool:
    """Whether they wrote START after a STOP that only now is found. To us it may have been a word like any other then."""
    whose = consent.Whose(line=conversation.line, phone=conversation.phone)
    said = store.written_since(conn, conversation.id, moment)
    # As on a toll-free number, so without YES, which also answers questions: when unsure, do not send.
    heard = [hear(body, SenderKind.TOLL_FREE) for body in said]
    return consent.has_reopened_since(conn, whose, moment) or any(h and h.kind is Keyword.START for h in heard)


def is_answered(text: InboundText, heard: Heard) -> bool:
    """Whether Twilio has sent its own answer, so that ours would be a second one, or be refused with 21610."""
    if text.found_at is not None and (text.messaging_service_sid or is_found_later_than(PROMPTLY, text)):
        return True  # Advanced Opt-Out may have answered, which the list does not say; or an answer would only confuse
    return twilio_answers(heard.word, sender_kind(text.our_address), text.opt_out_type)


def answer(conn: Connection, line: Line, conversation: Conversation, text: InboundText, heard: Heard) -> None:
    say, purpose = {
        Keyword.STOP: (wordings.unsubscribed, Purpose.OPT_OUT_CONFIRMATION),
        Keyword.START: (wordings.resubscribed, Purpose.HELP_REPLY),
        Keyword.HELP: (wordings.help_of, Purpose.HELP_REPLY),
    }[heard.kind]
    say_back(conn, conversation, text, say(line), purpose)


def say_back(
    conn: Connection, conversation: Conversation, text: InboundText, body: str, purpose: Purpose, program: str = ""
) -> None:
    queue_text(
        conn,
        NewText(
            line=conversation.line,
            conversation_id=conversation.id,
            phone=conversation.phone,
            our_address=conversation.our_address,
            body=body,
            purpose=purpose,
            program=program,
            messaging_service_sid=text.messaging_service_sid,
        ),
        text.received_at,
    )


def schedule_turns(conn: Connection, to_answer: Sequence[tuple[Arrival, Conversation]]) -> set[str]:
    """Have each conversation answered once its burst is over, later when its phone has used up its rate of turns.

    Gives the conversations that are answered later.
    """
    turns: dict[str, Arm] = {}
    used: dict[str, datetime] = {}
    put_off = set()
    for arrival, conversation in to_answer:
        line, at = arrival.line, arrival.text.noted_at
        spoken_for = max(used.get(conversation.id) or conversation.rate_until or at, at)
        each, burst = interval(line.turns_per_minute), BURST * interval(line.turns_per_minute)
        allowed_from = spoken_for - burst
        turns[conversation.id] = turn_for(line, conversation.id, arrival.text.body, at, not_before=allowed_from)
        used[conversation.id] = min(spoken_for + each, at + burst + LONGEST_WAIT)
        if allowed_from > at:
            put_off.add(conversation.id)
    arm_many(conn, list(turns.values()))
    last = {conversation.id: arrival.text.received_at for arrival, conversation in to_answer}
    REMEMBER(conn, [(c, micros(last[c]), micros(used[c])) for c in sorted(used)])
    return put_off


@lru_cache
def interval(turns_per_minute: int) -> timedelta:
    return timedelta(minutes=1) / turns_per_minute


def key_of(arrival: Arrival) -> store.Key:
    return arrival.line.key, arrival.text.phone, arrival.text.our_address


# No deadlock over these rows: whoever gets here holds the work rows of the same conversations.
REMEMBER = SetStatement(
    """
    WITH heard(id, last_inbound_at, rate_until) AS ({rows})
    UPDATE conversations SET
        last_inbound_at = CASE
            WHEN conversations.last_inbound_at > heard.last_inbound_at THEN conversations.last_inbound_at
            ELSE heard.last_inbound_at
        END,
        rate_until = heard.rate_until
    FROM heard WHERE conversations.id = heard.id
    """,
    [conversations.c.id, conversations.c.last_inbound_at, conversations.c.rate_until],
)
