"""Where alerts go: Slack, e-mail, PagerDuty, a webhook and whatever else apprise knows, by addresses.

It is loaded when there is an address: it takes a second of CPU and 20 MB. It logs addresses, which are secrets, so its
log ends here. It blocks, so each telling has a thread of its own, which nobody waits for longer than `PATIENCE`.
"""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from replyline.alerts.level import Level
from replyline.settings import BadSetting

PATIENCE = 30.0  # seconds; each read and connection has 4 of its own


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What became of one telling."""

    is_told: bool
    why: str = ""  # not, as far as is known; holds no address


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What is told, and what it is to a service: news, a warning, an incident or the end of one."""

    title: str
    body: str
    kind: str  # apprise's: info, success, warning or failure
    about: str  # the same for all that is told of one alert, so that PagerDuty makes one incident of it


class Address:
    """One place to tell. Its own text is a secret and stays in here."""

    def __init__(self, url: str, position: int, secret: bytes) -> None:
        self._url = url
        self.mark = hmac.new(secret, url.encode(), hashlib.sha256).hexdigest()[:16]  # knows it again, and tells nothing
        self.name = f"{position}. {scheme_of(url)}"

    async def tell(self, words: Words) -> Told:
        try:
            return await in_thread(lambda: send(self._url, words), within=PATIENCE)
        except TimeoutError:
            return Told(is_told=False, why=f"no answer within {PATIENCE:g} s")
        except Exception as error:  # whatever a plugin of the library raises; its words may hold the address
            return Told(is_told=False, why=type(error).__name__)


def addresses_in(written: str, secret: bytes) -> list[Address]:
    """The addresses of REPLYLINE_ALERTS. Raises `BadSetting`, naming the bad one by its position alone."""
    urls = [url for url in re.split(r"[\s,]+(?=[A-Za-z][\w+.-]*://)", written.strip()) if url]
    for position, url in enumerate(urls, start=1):
        if made(url) is None:
            raise BadSetting(
                f"REPLYLINE_ALERTS is not usable: address {position} ({scheme_of(url)}) is none that apprise knows, or "
                "something is missing in it. See docs/guide/alerts.md."
            )
    return [Address(url, position, secret) for position, url in enumerate(urls, start=1)]


def scheme_of(url: str) -> str:
    found = re.match(r"([A-Za-z][\w+.-]{0,19})://", url)
    return found[1].lower() if found else "no scheme"


def send(url: str, words: Words) -> Told:
    """Tell one address. Blocks."""
    apprise = library()
    to = apprise.Apprise(asset=asset())
    service = made(url)
    if hasattr(service, "dedup") and hasattr(service, "action"):  # PagerDuty: what ends closes what began
        service.action = "map" if service.action == "trigger" else service.action
        service.dedup = service.dedup or words.about
    to.add(service)
    HEARD.begin()
    told = bool(to.notify(title=words.title, body=words.body, notify_type=words.kind, body_format="text"))
    return Told(is_told=told, why="" if told else HEARD.why())


def made(url: str) -> Any:
    """The library's object for an address; none when it does not know it."""
    with contextlib.suppress(Exception):
        return library().Apprise.instantiate(url, asset=asset(), suppress_exceptions=True)
    return None


class Heard(logging.Handler):
    """Keeps what the library complains of, for the thread that it complains in: an answer's status, and no address."""

    def __init__(self) -> None:
        super().__init__()
        self._of_thread = threading.local()

    def begin(self) -> None:
        self._of_thread.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self._of_thread.said = f"{getattr(self._of_thread, 'said', '')}\n{record.getMessage()}"

    def why(self) -> str:
        said = getattr(self._of_thread, "said", "")
        if status := re.search(r"error=(\d{3})\b", said):
            return f"it answered {status[1]}"
        return "it could not be reached" if "onnection" in said else "it did not take it"


HEARD = Heard()


@cache
def library() -> Any:
    with warnings.catch_warnings():  # its own code uses what Python 3.11 has begun to warn of
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        apprise.Apprise.instantiate("json://127.0.0.1")  # loads the services
    ours = logging.getLogger("apprise")
    ours.handlers, ours.propagate = [HEARD], False
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # it writes whole URLs
    return apprise


@cache
def asset() -> Any:
    # No pictures from elsewhere, nothing on disk, what is addressed to one host goes to no other, and no threads but ours.
    made = library().AppriseAsset(storage_mode="memory", secure_logging=True, service_timeout=0)
    made.http_redirects = made.async_mode = False
    made.app_id, made.app_desc, made.app_url = "Replyline", "Replyline", ""
    made.image_url_mask = made.image_url_logo = ""
    return made


KINDS = {Level.LOOK: "warning", Level.WRONG: "failure"}


async def in_thread(do: Callable[[], Told], *, within: float) -> Told:
    """Run it in a thread that nobody waits for at a stop. Raises `TimeoutError`."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Told] = loop.create_future()

    def settle(told: Told | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            assert told is not None
            done.set_result(told)

    def run() -> None:
        told, failed = None, None
        try:
            told = do()
        except Exception as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, told, failed)

    threading.Thread(target=run, name="replyline-alert", daemon=True).start()
    return await asyncio.wait_for(done, within)


async def tell_all(addresses: Sequence[Address], words: Words) -> list[Told]:
    return list(await asyncio.gather(*(address.tell(words) for address in addresses)))
