"""What our server's answer to a text asks Twilio to do.

https://www.twilio.com/docs/messaging/twiml
"""

from dataclasses import dataclass
from urllib.parse import urljoin
from xml.etree import ElementTree

from replyline.conversations.segments import LONGEST_BODY
from replyline.simulator.webhooks import BAD_URL, Answer

LARGEST = 64 * 1024
MOST_MESSAGES = 10
TOO_LARGE, NOT_XML, WRONG_CONTENT_TYPE = 11750, 12100, 12300
BAD_BODY, BAD_METHOD, TOO_MANY_MESSAGES, WRONG_VERB = 14103, 14104, 14109, 14110
XML = {"text/xml", "application/xml", "text/html"}


class TwimlFailed(Exception):
    """Twilio cannot run the answer."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Twilio cannot run the TwiML: {code}.")
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A message the answer asks for."""

    body: str
    media_urls: tuple[str, ...] = ()
    to: str | None = None  # the sender of the text
    sender: str | None = None  # the number that was texted
    status_callback: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What one answer asks for."""

    replies: tuple[Reply, ...] = ()
    redirect: tuple[str, str] | None = None  # URL and method
    has_wrong_verb: bool = False  # only a warning


def read_twiml(answer: Answer) -> Document:
    """Read our server's answer. Raises `TwimlFailed`."""
    if not answer.body.strip():
        return Document()
    if len(answer.body) > LARGEST:
        raise TwimlFailed(TOO_LARGE)
    content_type = answer.content_type.partition(";")[0].strip().lower()
    if content_type == "text/plain":
        return Document(replies=(checked(Reply(body=answer.body.decode("utf-8", "replace").strip())),))
    if content_type not in XML:
        raise TwimlFailed(WRONG_CONTENT_TYPE)
    try:
        root = ElementTree.fromstring(answer.body)  # noqa: S314  # our own server wrote it
    except ElementTree.ParseError:
        raise TwimlFailed(NOT_XML) from None
    if root.tag != "Response":
        raise TwimlFailed(NOT_XML)
    try:
        return read_response(root, answer.url)
    except ValueError:  # an address such as "http://["
        raise TwimlFailed(BAD_URL) from None


def read_response(root: ElementTree.Element, url: str) -> Document:
    replies: list[Reply] = []
    redirect = None
    has_wrong_verb = False
    for verb in root:
        if verb.tag in ("Message", "Sms"):
            replies.append(checked(read_message(verb, url)))
        elif verb.tag == "Redirect":
            redirect = (urljoin(url, (verb.text or "").strip()), method_of(verb))
            break  # nothing after it is reached
        else:
            has_wrong_verb = True
    if len(replies) > MOST_MESSAGES:
        raise TwimlFailed(TOO_MANY_MESSAGES)
    return Document(replies=tuple(replies), redirect=redirect, has_wrong_verb=has_wrong_verb)


def read_message(verb: ElementTree.Element, url: str) -> Reply:
    method_of(verb)
    callback = verb.get("action") or verb.get("statusCallback")
    return Reply(
        body="".join([verb.text or "", *("".join(body.itertext()) for body in verb.findall("Body"))]).strip(),
        media_urls=tuple(urljoin(url, (media.text or "").strip()) for media in verb.findall("Media")),
        to=verb.get("to"),
        sender=verb.get("from"),
        status_callback=urljoin(url, callback) if callback else None,
    )


def checked(reply: Reply) -> Reply:
    if len(reply.body) > LONGEST_BODY or not (reply.body or reply.media_urls):
        raise TwimlFailed(BAD_BODY)
    return reply


def method_of(verb: ElementTree.Element) -> str:
    method = (verb.get("method") or "POST").upper()
    if method not in ("GET", "POST"):
        raise TwimlFailed(BAD_METHOD)
    return method
