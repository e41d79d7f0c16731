"""Twilio's lists: filters, and pages that are followed by their links."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlencode

from replyline.clock import as_utc
from replyline.simulator.account import Account, Message
from replyline.simulator.answers import Json
from replyline.simulator.refusals import Refusal
from replyline.twilio.form import whole_number

DEFAULT_SIZE, LARGEST_SIZE = 50, 1000


def matching_messages(account: Account, query: dict[str, str]) -> list[Message]:
    """The messages a list asks for, the newest first. A message that was not sent yet counts by its creation."""
    on, since, until = query.get("DateSent"), query.get("DateSent>"), query.get("DateSent<")
    earliest = max((period(text)[0] for text in (on, since) if text), default=None)
    latest = min((period(text)[1] for text in (on, until) if text), default=None)
    return [
        message
        for message in account.newest_first()
        if query.get("To", message.to) == message.to
        and query.get("From", message.sender) == message.sender
        and (earliest is None or (message.sent_at or message.created_at) >= earliest)
        and (latest is None or (message.sent_at or message.created_at) < latest)
    ]


def period(text: str) -> tuple[datetime, datetime]:
    """What a date filter covers: a whole UTC day, or one second."""
    try:
        at = datetime.fromisoformat(text)
        at = as_utc(at if at.tzinfo else at.replace(tzinfo=UTC))
        is_day = len(text) == len("2026-01-31") and at.time() == time()
        return at, at + (timedelta(days=1) if is_day else timedelta(seconds=1))
    except (ValueError, OverflowError):  # the last day there is has none after it
        raise Refusal(30400, why=f"'{text}' is not a date") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of a list, and what its JSON says besides the records."""

    sids: list[str]
    links: Json


def page_of(sids: Sequence[str], order: dict[str, int], *, path: str, query: dict[str, str]) -> Page:
    """The page that a query asks for. `order` knows the newest by the highest number, deleted records too."""
    size = page_size(query)
    number = whole_number(query.get("Page", "")) or 0
    first = place_of(query.get("PageToken", ""), sids, order, size)
    if first is None:
        first = number * size
    chosen = list(sids[first : first + size])
    rest = {name: value for name, value in query.items() if name not in ("Page", "PageToken", "PageSize")}

    def link(page: int, token: str = "") -> str:
        asked = rest | {"PageSize": str(size), "Page": str(page)} | ({"PageToken": token} if token else {})
        return f"{path}?{urlencode(asked)}"

    has_next = bool(chosen) and first + size < len(sids)
    return Page(
        sids=chosen,
        links={
            "page": number,
            "page_size": size,
            "start": number * size,
            "end": number * size + max(len(chosen) - 1, 0),
            "uri": f"{path}?{urlencode(query)}" if query else path,
            "first_page_uri": link(0),
            "next_page_uri": link(number + 1, f"PA{chosen[-1]}") if has_next else None,
            "previous_page_uri": link(number - 1, f"PB{chosen[0]}") if number > 0 and chosen else None,
        },
    )


def v1_page(key: str, records: Sequence[Json], url: str) -> Json:
    """All of a list of the newer APIs, whose pages say other things, in one page."""
    size = max(len(records), DEFAULT_SIZE)
    first = f"{url}?{urlencode({'PageSize': size, 'Page': 0})}"
    meta = {
        "page": 0,
        "page_size": size,
        "first_page_url": first,
        "previous_page_url": None,
        "next_page_url": None,
        "url": first,
        "key": key,
    }
    return {"meta": meta, key: list(records)}


def place_of(token: str, sids: Sequence[str], order: dict[str, int], size: int) -> int | None:
    """Where a page begins: after a record (PA) or before one (PB), so that what arrives meanwhile moves nothing."""
    direction, sid = token[:2], token[2:]
    if direction not in ("PA", "PB") or sid not in order:
        return None
    newer = sum(order[each] > order[sid] for each in sids)
    return newer + (sid in sids) if direction == "PA" else max(newer - size, 0)


def page_size(query: dict[str, str]) -> int:
    size = whole_number(query.get("PageSize", "")) or DEFAULT_SIZE
    if size > LARGEST_SIZE:
        raise Refusal(20007)
    return size
