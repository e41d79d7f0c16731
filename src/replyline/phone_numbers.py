"""Phone numbers and the other things texts come from and go to."""

import re
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from replyline.errors import ReplylineError

MESSAGING_SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")
# North American toll-free codes; other countries' freephone numbers have no rules of their own at Twilio.
TOLL_FREE = re.compile(r"\+1(?:800|833|844|855|866|877|888)\d{7}")
# Short codes have 5 or 6 digits in the US and Canada, 3 to 8 elsewhere.
SHORT_CODE = re.compile(r"\d{3,8}")
NUMBER = re.compile(r"\+?\d+")
CHANNEL = re.compile(r"[a-z]{1,16}")


class NotAPhoneNumber(ReplylineError):
    """That is not a phone number."""


class SenderKind(StrEnum):
    """What a text leaves from, or was written to."""

    LONG_CODE = "long_code"  # an ordinary phone number
    TOLL_FREE = "toll_free"  # a North American 800 number; STOP is handled in the network
    SHORT_CODE = "short_code"  # a few digits, rented from the carriers; Twilio does nothing about STOP by itself
    ALPHANUMERIC = "alphanumeric"  # a name, such as ACME; nobody can answer it
    MESSAGING_SERVICE = "messaging_service"  # Twilio picks the number from a pool
    CHANNEL = "channel"  # whatsapp:, rcs: and other roads that are not SMS


def parse_e164(text: str, default_country: str | None = None) -> str:
    """A number as people write it, in E.164: "(415) 555-0123" with "US" gives "+14155550123".

    Raises `NotAPhoneNumber`. Area codes the library has not heard of are fine: new ones open every year.
    """
    try:
        number = phonenumbers.parse(text, default_country)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            raise NotAPhoneNumber("A phone number needs its country code, such as +14155550123.") from None
        raise NotAPhoneNumber from None
    match phonenumbers.is_possible_number_with_reason(number):
        case ValidationResult.IS_POSSIBLE:
            return phonenumbers.format_number(number, PhoneNumberFormat.E164)
        case ValidationResult.TOO_SHORT | ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
            raise NotAPhoneNumber("That is too short for a phone number; write it with its area and country code.")
        case ValidationResult.TOO_LONG:
            raise NotAPhoneNumber("That is too long for a phone number.")
        case _:
            raise NotAPhoneNumber


def spellings(address: str) -> set[str]:
    """The ways one address may be written, itself among them: as given, in E.164, and as its country also writes it."""
    known = {address}
    with suppress(NotAPhoneNumber):
        known.add(parse_e164(address))
    return known | {
        pattern.sub(other, each) for each in known for pattern, other in ALSO_WRITTEN if pattern.fullmatch(each)
    }


# Mobile numbers of Mexico and Argentina had, or have, a digit more when dialled from abroad; networks write either. From
# experience with such numbers, not from a page of Twilio's.
ALSO_WRITTEN = (
    (re.compile(r"\+521(\d{10})"), r"+52\1"),
    (re.compile(r"\+52(\d{10})"), r"+521\1"),
    (re.compile(r"\+549(\d{10})"), r"+54\1"),
    (re.compile(r"\+54(\d{10})"), r"+549\1"),
)


@lru_cache(maxsize=16_384)
def country_of(address: str) -> str | None:
    """The ISO code of a number's country; none for short codes, names, and prefixes that no country is known for.

    It goes by prefix: right for the country, also of people who moved within it, and no use for a US state.
    """
    try:
        number = phonenumbers.parse(address.rpartition(":")[2])
    except NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    region = phonenumbers.region_code_for_number(number)
    return region if region and region.isalpha() else None  # 001: satellite and other networks of no country


def country_by_prefix(phone: str) -> str | None:
    """The country of a number in E.164 by its first digits, for lists of a hundred thousand: whether it is possible, and
    whether its country has such numbers, is not looked at."""
    code = next((phone[1:n] for n in (2, 3, 4) if phone[1:n].isdigit() and int(phone[1:n]) in REGIONS), None)
    if code is None:
        return None
    regions = REGIONS[int(code)]
    if len(regions) == 1:
        return regions[0] if regions[0].isalpha() else None
    # An area code says which country of North America it is; elsewhere a few digits more do.
    return country_of_prefix(phone[: 5 if code == "1" else 9], len(phone))


@lru_cache(maxsize=65_536)
def country_of_prefix(prefix: str, length: int) -> str | None:
    return country_of(prefix + SOME_DIGITS[: length - len(prefix)])


SOME_DIGITS = "5550123456"
REGIONS: dict[int, tuple[str, ...]] = phonenumbers.COUNTRY_CODE_TO_REGION_CODE


def masked(address: str) -> str:
    """An address for logs and messages: "+1415***1234", "***73" for a short code, "whatsapp:+1415***1234"."""
    channel, colon, bare = address.rpartition(":")
    if colon and not CHANNEL.fullmatch(channel):
        channel = "***"  # not "whatsapp": a stranger's words, perhaps a number
    if len(bare) >= 12 and NUMBER.fullmatch(bare):
        hidden = f"{bare[:5]}***{bare[-4:]}"
    elif len(bare) >= 9 and NUMBER.fullmatch(bare):
        hidden = f"{bare[:3]}***{bare[-2:]}"
    else:
        hidden = f"***{bare[-2:]}" if len(bare) > 4 else "***"
    return f"{channel}{colon}{hidden}"


@lru_cache(maxsize=1024)  # our own addresses, which are few, with every text
def sender_kind(address: str) -> SenderKind:
    """What kind of sender an address of ours is, by its form alone."""
    if ":" in address:
        return SenderKind.CHANNEL
    if MESSAGING_SERVICE_SID.fullmatch(address):
        return SenderKind.MESSAGING_SERVICE
    if TOLL_FREE.fullmatch(address):
        return SenderKind.TOLL_FREE
    if SHORT_CODE.fullmatch(address):
        return SenderKind.SHORT_CODE
    return SenderKind.LONG_CODE if NUMBER.fullmatch(address) else SenderKind.ALPHANUMERIC
