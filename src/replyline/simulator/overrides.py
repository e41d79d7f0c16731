"""Connection overrides: the fragment of a webhook's URL tells Twilio how to retry it.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from dataclasses import dataclass
from urllib.parse import parse_qs

from replyline.twilio.form import whole_number


@dataclass(frozen=True, kw_only=True, slots=True)
class Overrides:
    """How long one webhook may take and what is tried again. Times are in seconds."""

    connect: float = 5
    read: float = 15
    total: float = 15  # of all attempts
    retries: int = 1
    retried: frozenset[str] = frozenset({"ct"})  # of 4xx, 5xx, ct and rt

    def allows(self, failure: str) -> bool:
        return failure != "" and (failure in self.retried or "all" in self.retried)


def read_overrides(url: str) -> tuple[str, Overrides]:
    """A webhook's URL as it is requested and signed, and what its fragment asks for."""
    target, _, fragment = url.partition("#")
    given = {name: values[-1] for name, values in parse_qs(fragment).items()}
    default = Overrides()
    return target, Overrides(
        connect=bounded(given.get("ct"), 100, 10_000, default.connect * 1000) / 1000,
        read=bounded(given.get("rt"), 100, 15_000, default.read * 1000) / 1000,
        total=bounded(given.get("tt"), 100, 15_000, default.total * 1000) / 1000,
        retries=int(bounded(given.get("rc"), 0, 5, default.retries)),
        retried=frozenset(given["rp"].split(",")) if "rp" in given else default.retried,
    )


def bounded(text: str | None, least: int, most: int, default: float) -> float:
    number = whole_number(text or "")
    return default if number is None else min(max(number, least), most)
