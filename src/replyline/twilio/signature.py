"""X-Twilio-Signature: proof that a webhook comes from Twilio, about this URL and with these fields.

https://www.twilio.com/docs/usage/security. Plain `hmac` rather than the vendor's validator, which costs several times
as much on every webhook; the tests hold the two against each other.
"""

import hmac
import re
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from functools import lru_cache

# Scheme, user and password, host, port, and what follows up to the fragment. Twilio never sends the fragment.
URL = re.compile(r"(?P<scheme>[A-Za-z]+://)(?:[^/?#]*@)?(?P<host>\[[^\]]*\]|[^/?#:]*)(?P<port>:\d*)?(?P<rest>[^#]*)")
DEFAULT_PORT = {"https://": ":443", "http://": ":80"}


def sign(token: str, url: str, params: Iterable[tuple[str, str]]) -> str:
    """The signature Twilio puts on a request, with the port as the URL has it. For tests and the simulator."""
    scheme, host, port, rest = parts_of(url)
    return signature_of(token, f"{scheme}{host}{port}{rest}", as_text(params)).decode()


def is_signed(tokens: Sequence[str], url: str, params: Iterable[tuple[str, str]], signature: str) -> bool:
    """Whether one of these auth tokens has signed this URL and these form fields.

    `url` is what Twilio was told to call, its query still encoded. `params` are the decoded fields of a form body,
    blank ones included; a GET or JSON request has none. The port may be there or not: Twilio is not consistent.
    """
    given = signature.encode("utf-8", "replace")
    fields = as_text(params)
    # An empty token would let anybody sign.
    return any(
        hmac.compare_digest(signature_of(token, form, fields), given)
        for form in port_forms(url)
        for token in tokens
        if token
    )


@lru_cache(maxsize=64)  # a webhook has one URL, unless it carries a query
def port_forms(url: str) -> tuple[str, str]:
    """The URL without its port and with it, the scheme's own when none is written."""
    scheme, host, port, rest = parts_of(url)
    return f"{scheme}{host}{rest}", f"{scheme}{host}{port or DEFAULT_PORT.get(scheme.lower(), '')}{rest}"


def parts_of(url: str) -> tuple[str, str, str, str]:
    found = URL.match(url)
    if found is None:
        return "", "", "", url.partition("#")[0]
    scheme, host, port, rest = found.groups()
    return scheme, host, port if port and port != ":" else "", rest


def as_text(params: Iterable[tuple[str, str]]) -> str:
    """Names and values with nothing between them, in the order of their bytes; a repeated pair counts once."""
    pairs = list(params)
    if len(fields := dict(pairs)) == len(pairs):  # as Twilio writes them; sorting names alone costs half
        return "".join([name + fields[name] for name in sorted(fields)])
    return "".join([name + value for name, value in sorted(set(pairs))])


def signature_of(token: str, url: str, fields: str) -> bytes:
    code = keyed(token).copy()
    code.update((url + fields).encode("utf-8", "surrogatepass"))
    return b2a_base64(code.digest(), newline=False)


@lru_cache(maxsize=64)
def keyed(token: str) -> hmac.HMAC:
    """The token's key, hashed once: half the price of a signature."""
    return hmac.new(token.encode(), digestmod="sha1")
