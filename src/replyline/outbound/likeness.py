"""Whether a message in Twilio's list may be a text of ours: recognised however Twilio writes it, and no other's.

A message counts by who, from where and since when; then by its words, digits, currency signs and emoji. Spaces,
punctuation and accents do not count: Twilio's smart encoding replaces some, and carriers' habits others.
"""

import unicodedata
from datetime import datetime, timedelta

from replyline.db.columns import AnyRow
from replyline.phone_numbers import spellings
from replyline.twilio.client import Message

# Between Twilio's clock and ours, which an unattended machine may have lost. A wide margin costs next to nothing: a message that
# a text of ours has is never taken, and one that somebody else sent with the same words is what this person needed.
CLOCK_SKEW = timedelta(minutes=15)
# What Twilio writes before the words of a trial account's texts.
TRIAL = "sentfromyourtwiliotrialaccount"


def could_be(message: Message, text: AnyRow, began: datetime) -> bool:
    """Whether a message of Twilio's may be this text: same people, same words, made since we began to send it."""
    return (
        message.direction == "outbound-api"
        and (message.created_at is None or message.created_at >= began - CLOCK_SKEW)
        and not spellings(message.to).isdisjoint(spellings(text.phone))
        and is_like(message, text)
    )


def is_like(message: Message, text: AnyRow) -> bool:
    """Whether a message to the phone of a text is from the same sender and says the same."""
    # Pictures without words are not a text without pictures, whether it is redacted or not.
    is_other_picture = message.media > 0 and not message.body and not text.media
    return is_same_sender(message, text) and is_same_body(message.body, text.body) and not is_other_picture


def is_same_sender(message: Message, text: AnyRow) -> bool:
    if text.messaging_service_sid is None:
        return message.sender is not None and not spellings(message.sender).isdisjoint(spellings(text.our_address))
    # The service chooses the number, perhaps later, and its pool may change; the service is what we named.
    return message.messaging_service_sid in {None, text.messaging_service_sid}


def is_same_body(theirs: str, ours: str) -> bool:
    """Whether Twilio's body may be what we sent. An empty one may be any: the account has its messages redacted."""
    if theirs == ours or not theirs:
        return True
    their_words, our_words = words_of(theirs), words_of(ours)
    if not our_words:  # nothing but punctuation
        return theirs.strip() == ours.strip()
    return their_words in {our_words, TRIAL + our_words}


def words_of(body: str) -> str:
    folded = unicodedata.normalize("NFKD", body).casefold()
    return "".join(each for each in folded if tells(each))


def tells(character: str) -> bool:
    """Letters, digits, currency signs and emoji; of other symbols smart encoding makes punctuation."""
    kind = unicodedata.category(character)
    return kind[0] in "LN" or kind == "Sc" or (kind == "So" and (character >= "\U0001f000" or "☀" <= character <= "⛿"))
