"""The numbers that test credentials answer in a fixed way; nothing is sent with them.

https://www.twilio.com/docs/iam/test-credentials
"""

from replyline.simulator.refusals import Refusal

GOOD_SENDER = "+15005550006"
SENDERS = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
RECIPIENTS = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}


def check_magic(*, sender: str, to: str) -> None:
    """What the numbers stand for. Raises `Refusal`."""
    code = SENDERS.get(sender, 21606 if sender != GOOD_SENDER else None) or RECIPIENTS.get(to)
    if code is not None:
        raise Refusal(code, sender=sender, to=to)
