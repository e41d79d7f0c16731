"""What Twilio's error codes mean, and what a sender does about each.

The table is `errors.csv` beside this file, from Twilio's error dictionary: codes are split and renamed over time, so an
unknown one is taken by its status.
"""

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files


class Stage(StrEnum):
    """Where a code turns up."""

    REST = "rest"  # in the answer to a request of ours
    DELIVERY = "delivery"  # on a message, after Twilio took it
    WEBHOOK = "webhook"  # in Twilio's console, about an endpoint of ours


class Retry(StrEnum):
    """Whether the same text may be tried again."""

    YES = "yes"  # soon, as it is
    LATER = "later"  # after a wait, or a repair elsewhere
    NO = "no"  # never unchanged


class Action(StrEnum):
    """What to do about a code."""

    NONE = "none"  # nothing: it is news, or over
    BACKOFF = "backoff"  # try again, each time after a longer wait
    RETRY_LATER = "retry_later"  # try again in minutes or hours, a few times
    PAUSE_UNTIL_RESET = "pause_until_reset"  # the sender has used up its day: wait for midnight US Pacific, or 24 hours
    MARK_OPTED_OUT = "mark_opted_out"  # the person has opted out with Twilio: stop texting them
    MARK_LANDLINE = "mark_landline"  # the number cannot receive texts
    MARK_UNREACHABLE = "mark_unreachable"  # the phone is off or gone: stop after it repeats
    MARK_INVALID_NUMBER = "mark_invalid_number"  # nobody has this number
    FIX_NUMBER = "fix_number"  # the recipient is written wrongly
    FIX_SENDER = "fix_sender"  # the sender cannot send this, or not there
    FIX_CONTENT = "fix_content"  # the body is too long, empty or filtered
    FIX_MEDIA = "fix_media"  # a picture is too large, of a wrong type, or cannot be fetched
    FIX_REQUEST = "fix_request"  # the request is malformed: our fault
    FIX_WEBHOOK = "fix_webhook"  # our endpoint cannot be reached, or answers wrongly
    FIX_TWIML = "fix_twiml"  # our answer is not TwiML that Twilio understands
    USE_TEMPLATE = "use_template"  # the channel allows only an approved template now
    USE_SMS = "use_sms"  # the channel does not reach this person; SMS may
    ALERT_OPERATOR = "alert_operator"  # registration, credentials or account: only a person can repair it


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorMeaning:
    """One code, in words for the operator."""

    code: int
    name: str
    meaning: str
    stage: Stage
    retryable: Retry
    action: Action


def meaning_of(code: int, *, http_status: int | None = None, message_status: str | None = None) -> ErrorMeaning:
    """What a code means. One we do not know is judged by the HTTP status or the MessageStatus it came with."""
    known = table().get(code)
    if known is not None:
        return known
    stage, retryable, action = guess(http_status, message_status)
    name = f"Unknown error {code}" if code else "Error without a code"
    meaning = f"Twilio's dictionary had no such code when this was written: https://www.twilio.com/docs/errors/{code}"
    return ErrorMeaning(code=code, name=name, meaning=meaning, stage=stage, retryable=retryable, action=action)


def guess(http_status: int | None, message_status: str | None) -> tuple[Stage, Retry, Action]:
    if message_status == "undelivered":  # a carrier's no to this one text; the next may pass
        return Stage.DELIVERY, Retry.NO, Action.NONE
    if message_status is not None:
        return Stage.DELIVERY, Retry.NO, Action.ALERT_OPERATOR
    if http_status == 429:
        return Stage.REST, Retry.YES, Action.BACKOFF
    if http_status in {401, 403}:
        return Stage.REST, Retry.NO, Action.ALERT_OPERATOR
    if http_status is not None and http_status >= 500:
        return Stage.REST, Retry.LATER, Action.RETRY_LATER
    return Stage.REST, Retry.NO, Action.FIX_REQUEST


@cache
def table() -> dict[int, ErrorMeaning]:
    lines = files("replyline.twilio").joinpath("errors.csv").read_text(encoding="utf-8").splitlines()
    return {
        int(row["code"]): ErrorMeaning(
            code=int(row["code"]),
            name=row["name"],
            meaning=row["meaning"],
            stage=Stage(row["stage"]),
            retryable=Retry(row["retryable"]),
            action=Action(row["action"]),
        )
        for row in csv.DictReader(lines)
    }
