"""How far a text has come. Carriers report late, twice and out of order; that is normal."""

from enum import StrEnum


class Status(StrEnum):
    """Where a text is."""

    QUEUED = "queued"  # ours, waiting for its turn to leave
    SENDING = "sending"  # claimed by a worker; the request may be on the wire
    UNKNOWN = "unknown"  # we asked and never heard; find out before asking again
    SENT = "sent"  # Twilio has it; for many carriers this is the last we ever hear
    DELIVERED = "delivered"  # the carrier says the phone has it
    UNDELIVERED = "undelivered"  # the carrier says the phone does not have it
    FAILED = "failed"  # Twilio could not send it, and nobody will try again
    REFUSED = "refused"  # we may not send it: a rule said no
    CANCELED = "canceled"  # taken back before it left
    EXPIRED = "expired"  # its time was over before it could leave
    RECEIVED = "received"  # the other way: a phone wrote it


# What may have left counts as said; what we know never did does not.
MAY_HAVE_LEFT = [
    each.value for each in (Status.SENDING, Status.UNKNOWN, Status.SENT, Status.DELIVERED, Status.UNDELIVERED)
]

# Back to QUEUED only we may go, and only knowing that nothing left: Twilio said 429, or its list has no such text.
NEXT: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset(Status) - {Status.QUEUED, Status.UNKNOWN, Status.RECEIVED},
    Status.SENDING: frozenset(Status) - {Status.SENDING, Status.RECEIVED},
    Status.UNKNOWN: frozenset(Status) - {Status.UNKNOWN, Status.SENDING, Status.RECEIVED},
    Status.SENT: frozenset({Status.DELIVERED, Status.UNDELIVERED, Status.FAILED, Status.CANCELED}),
    Status.DELIVERED: frozenset(),  # a late "sent" changes nothing
    Status.UNDELIVERED: frozenset(),
    Status.FAILED: frozenset(),
    Status.REFUSED: frozenset(),
    Status.CANCELED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.RECEIVED: frozenset(),
}

# Twilio's words, from its OpenAPI description. Everything before the carrier is "Twilio has it" to us.
TWILIO_WORDS = {
    "accepted": Status.SENT,
    "scheduled": Status.SENT,
    "queued": Status.SENT,
    "sending": Status.SENT,
    "sent": Status.SENT,
    "partially_delivered": Status.SENT,  # described nowhere; not the end, it seems
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,
    "undelivered": Status.UNDELIVERED,
    "failed": Status.FAILED,
    "canceled": Status.CANCELED,
    "receiving": Status.RECEIVED,
    "received": Status.RECEIVED,
}


def from_twilio(word: str) -> Status | None:
    """What a MessageStatus means to us; none for a word Twilio did not have when this was written."""
    return TWILIO_WORDS.get(word.strip().lower())


def advance(current: Status, reported: Status) -> Status:
    """Where a text is after a report. What is late, repeated or out of order changes nothing, and an end is the end."""
    is_forward = reported in NEXT[current] and reported is not Status.QUEUED
    return reported if is_forward else current


def is_final(status: Status) -> bool:
    """Whether nothing more can happen to the text."""
    return not NEXT[status]


def taken_by_twilio(word: str) -> Status:
    """How far a text is that Twilio has: its end if the word names one, else SENT, whatever Twilio still does with it."""
    status = from_twilio(word)
    ends = {Status.DELIVERED, Status.UNDELIVERED, Status.FAILED}
    return status if status in ends else Status.SENT
