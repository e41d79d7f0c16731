"""What a text leaves from that we begin. Pure. One that answers leaves from what the person wrote to."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from replyline.outbound.queue import UnsendableText
from replyline.phone_numbers import SenderKind, country_of, masked
from replyline.plugins.line import Line
from replyline.plugins.senders import US_CANADA, BadSender, Sender


@dataclass(frozen=True, kw_only=True, slots=True)
class From:
    """What Twilio is asked to send from: an address of ours, a messaging service, or an address in a service."""

    our_address: str
    messaging_service_sid: str | None = None


def choose_sender(
    senders: Sequence[Sender], phone: str, *, has_pictures: bool = False, last: From | None = None
) -> From:
    """What the person talked to last, else a sender for their country, else a messaging service.

    Only what can carry the text counts. Raises `UnsendableText`.
    """
    country = country_of(phone)
    able = [sender for sender in senders if sender.serves(country)]
    if has_pictures:
        able = [sender for sender in able if sender.can_send_pictures and takes_pictures(sender, country)]
    able.sort(key=lambda sender: not is_local(sender, country))  # what is foreign costs more, and looks it
    for choice in [*sticky(able, last), *numbers(able), *services(able)]:
        return choice
    raise UnsendableText(why_none(senders, phone, country, has_pictures=has_pictures))


def address_for(senders: Sequence[Sender], phone: str) -> str:
    """The address that a text to a number would leave from; empty when nothing can carry it."""
    with suppress(UnsendableText):
        return choose_sender(senders, phone).our_address
    return ""


def sticky(able: Sequence[Sender], last: From | None) -> Iterator[From]:
    """What they know us by, while the line still has it: by itself, or in a pool."""
    for sender in able if last else ():
        if last and sender.address == last.our_address:
            yield as_from(sender)
        elif last and sender.kind is SenderKind.MESSAGING_SERVICE and sender.address == last.messaging_service_sid:
            yield last


def numbers(able: Sequence[Sender]) -> Iterator[From]:
    return (as_from(sender) for sender in able if sender.kind is not SenderKind.MESSAGING_SERVICE)


def services(able: Sequence[Sender]) -> Iterator[From]:
    return (as_from(sender) for sender in able if sender.kind is SenderKind.MESSAGING_SERVICE)


def as_from(sender: Sender) -> From:
    is_service = sender.kind is SenderKind.MESSAGING_SERVICE
    return From(
        our_address=sender.address,
        messaging_service_sid=sender.address if is_service else sender.messaging_service or None,
    )


def is_local(sender: Sender, country: str | None) -> bool:
    return sender.kind is SenderKind.LONG_CODE and country_of(sender.address) == country


def takes_pictures(sender: Sender, country: str | None) -> bool:
    """Twilio carries MMS to phones in the US and Canada only; other channels are no MMS."""
    return country in US_CANADA or sender.kind is SenderKind.CHANNEL


def why_none(senders: Sequence[Sender], phone: str, country: str | None, *, has_pictures: bool) -> str:
    where = country or "the country of that number"
    if not senders:
        return (
            "There is nothing to text from: set TWILIO_PHONE_NUMBER or TWILIO_MESSAGING_SERVICE_SID, or give the line "
            "senders=[...]."
        )
    if not any(sender.serves(country) for sender in senders):
        return f"No sender of the line is for {where} ({masked(phone)}); add one, or name {where} in its countries."
    if has_pictures and country not in US_CANADA:
        return f"Twilio carries pictures to phones in the US and Canada only, not to {where}; send a link instead."
    return f"No sender of the line for {where} can send pictures; give one of them mms=True if Twilio has it so."


def senders_of(line: Line, *, number: str | None, service: str | None) -> Sequence[Sender]:
    """The senders a line declares, else those that the settings name, for wherever the line may text to.

    Raises `BadSender`.
    """
    if line.senders or not (number or service):
        return line.senders
    try:
        countries = tuple(line.countries)
        ours = [Sender(number, messaging_service=service or "", countries=countries)] if number else []
        return [*ours, Sender(service, countries=countries)] if service else ours
    except BadSender as error:
        raise BadSender(f"TWILIO_PHONE_NUMBER is not usable. {error}") from None
