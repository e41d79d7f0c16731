"""What Twilio's rules make of a request, worked out by the standard library alone: is it signed, and what does it say?"""

import hashlib
import hmac
from base64 import b64encode
from urllib.parse import parse_qsl

FORM = b"application/x-www-form-urlencoded"
LARGEST = 64 * 1024


def fields_of(encoded: bytes) -> list[tuple[str, str]]:
    """The fields of a form body or a query."""
    return parse_qsl(encoded.decode("utf-8", "replace"), keep_blank_values=True)


def sign(token: str, url: str, fields: list[tuple[str, str]]) -> str:
    """X-Twilio-Signature of a URL, as it was requested, and the fields of a form."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return b64encode(hmac.new(token.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha1).digest()).decode()


def is_signed(token: str, url: str, fields: list[tuple[str, str]], signature: str) -> bool:
    """Whether this token signed it, with the port of https written or not."""
    scheme, rest = url.split("://", 1)
    host, slash, path = rest.partition("/")
    forms = (url, f"{scheme}://{host}:443{slash}{path}")
    return any(hmac.compare_digest(sign(token, form, fields).encode(), signature.encode("utf-8")) for form in forms)
