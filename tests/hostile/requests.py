"""Hostile requests, made from real ones. A seed and a number give the same request everywhere, so each can be replayed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, quote_plus, unquote, unquote_to_bytes

from tests.hostile import oracle
from tests.hostile.people import (
    ACCOUNT,
    CODES,
    MARK,
    NUMBERS,
    ODD,
    OTHER_TOKEN,
    OURS,
    PHONE,
    PUBLIC,
    RAW_ODD,
    STATUSES,
    TOKEN,
)

SMS, STATUS, FALLBACK = "/webhooks/twilio/sms", "/webhooks/twilio/status", "/webhooks/twilio/fallback"
Pair = tuple[bytes, bytes]  # a field as it is written, name and value still encoded


@dataclass
class Hostile:
    """One request on its way to become something nobody expects."""

    number: int
    seed: int
    path: str
    method: str = "POST"
    fields: list[Pair] = field(default_factory=list)  # of the form, or of the query when it is a GET
    query: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    signature: str | None = None
    made_by: list[str] = field(default_factory=list)  # the mutations, in order
    parts: int = 1  # in how many pieces the body arrives
    body: bytes | None = None  # when it is not made of the fields
    leaves_early: bool = False  # the client hangs up within its body
    client: str = "203.0.113.9"

    @property
    def form(self) -> bytes:
        return b"&".join(name + b"=" + value for name, value in self.fields)

    @property
    def is_get(self) -> bool:
        return self.method == "GET"

    @property
    def sent_body(self) -> bytes:
        if self.body is not None:
            return self.body
        return b"" if self.is_get else self.form

    @property
    def sent_query(self) -> bytes:
        joined = [self.query, self.form] if self.is_get else [self.query]
        return b"&".join(filter(None, joined)).replace(b"#", b"%23")  # a bare one ends the query on the wire

    @property
    def url(self) -> str:
        """What Twilio would have signed for this path and query."""
        query = self.sent_query.decode("latin-1")
        return f"{PUBLIC}{unquote(self.path)}" + (f"?{query}" if query else "")

    @property
    def signed_fields(self) -> list[tuple[str, str]]:
        return [] if self.is_get else oracle.fields_of(self.sent_body)

    @cached_property
    def said(self) -> dict[str, str]:
        """The fields as anybody would read them, of a repeated one the last, without what PostgreSQL cannot hold."""
        fields = dict(oracle.fields_of(self.sent_query if self.is_get else self.sent_body))
        return {name.replace("\x00", ""): value.replace("\x00", "") for name, value in fields.items()}

    @property
    def sid(self) -> str:
        return self.said.get("MessageSid") or self.said.get("SmsMessageSid") or self.said.get("SmsSid") or ""

    @property
    def text_id(self) -> str:
        """The id of ours that a status callback's URL names."""
        return dict(oracle.fields_of(self.sent_query)).get("text", "").replace("\x00", "")

    @property
    def sent_headers(self) -> list[tuple[bytes, bytes]]:
        signed = [] if self.signature is None else [(b"x-twilio-signature", self.signature.encode("latin-1"))]
        return [*self.headers, *signed]

    @cached_property
    def is_signed(self) -> bool:
        """Whether Twilio's rules take it for signed by our account."""
        return self.signature is not None and oracle.is_signed(TOKEN, self.url, self.signed_fields, self.signature)

    @cached_property
    def is_accepted(self) -> bool:
        """Whether a webhook has to look at what it says; everything else leaves no trace."""
        if unquote(self.path) not in (SMS, STATUS, FALLBACK) or len(self.sent_query) > oracle.LARGEST:
            return False
        headers = dict(self.sent_headers)
        if self.method == "POST":
            length = headers.get(b"content-length", b"")
            is_too_much = len(self.sent_body) > oracle.LARGEST or (
                length.isdigit() and int(length[:20]) > oracle.LARGEST
            )
            if self.leaves_early or is_too_much or not headers.get(b"content-type", b"").startswith(oracle.FORM):
                return False
        return self.method in ("GET", "POST") and self.is_signed

    def replay(self) -> str:
        return f"make fuzz ARGS='--seed {self.seed} --case {self.number}'  # {' + '.join(self.made_by)}"


def a_case(seed: int, number: int) -> Hostile:
    """The request of this number."""
    rng = random.Random(f"{seed}/{number}")
    case = rng.choice(BEGINNINGS)(rng, Hostile(number=number, seed=seed, path=SMS))
    case.headers = [(b"content-type", oracle.FORM), (b"user-agent", b"TwilioProxy/1.1")]
    case.client = f"198.51.{rng.randrange(100)}.{rng.randrange(256)}"
    honest = sign(case)  # what a stranger has seen pass by, or Twilio's own
    is_twilios = rng.random() < 0.5
    for mutate in rng.choices(MUTATIONS, WEIGHTS, k=rng.choice((0, 1, 1, 1, 2, 2, 3, 6))):
        case.made_by.append(mutate.__name__)
        mutate(rng, case)
    if is_twilios:
        case.made_by.append("signed")
        case.signature = sign(case)
    else:
        forge = rng.choice(FORGERIES)
        case.made_by.append(forge.__name__)
        case.signature = honest
        forge(rng, case)
    return case


def sign(case: Hostile, token: str = TOKEN) -> str:
    return oracle.sign(token, case.url, case.signed_fields)


# What real requests look like


def pairs(fields: dict[str, str]) -> list[Pair]:
    return [(quote_plus(name).encode(), quote_plus(value).encode()) for name, value in fields.items()]


def sid(rng: random.Random, prefix: str = "SM") -> str:
    return f"{prefix}{rng.getrandbits(128):032x}"


def phone(rng: random.Random) -> str:
    """One of a thousand people, so that texts meet in conversations."""
    return f"+1212{rng.randrange(1000):07d}"


def body(rng: random.Random) -> str:
    return f"Hi {MARK} {rng.choice(('', 'stop', 'yes', 'book yoga tomorrow at 6'))} + bye 👋 ñ"


def text(rng: random.Random, case: Hostile, prefix: str = "SM") -> Hostile:
    """The nineteen fields that a text has."""
    case.made_by.append("sms")
    its = sid(rng, prefix)
    case.fields = pairs(
        {
            "ToCountry": "US", "ToState": "CA", "SmsMessageSid": its, "NumMedia": "0", "ToCity": "", "FromZip": "",
            "SmsSid": its, "FromState": "NY", "SmsStatus": "received", "FromCity": "NEW YORK", "Body": body(rng),
            "FromCountry": "US", "To": OURS, "ToZip": "", "NumSegments": "1", "MessageSid": its,
            "AccountSid": ACCOUNT, "From": phone(rng), "ApiVersion": "2010-04-01",
        }
    )  # fmt: skip
    return case


def add(case: Hostile, **fields: str) -> None:
    case.fields = [pair for pair in case.fields if pair[0].decode("latin-1") not in fields] + pairs(fields)


def mms(rng: random.Random, case: Hostile) -> Hostile:
    text(rng, case, "MM")
    case.made_by[-1] = "mms"
    count = rng.randrange(1, 11)
    for n in range(count):
        url = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid(rng, 'MM')}/Media/{sid(rng, 'ME')}"
        add(case, **{f"MediaUrl{n}": url, f"MediaContentType{n}": rng.choice(("image/jpeg", "video/mp4", ""))})
    add(case, NumMedia=str(count))
    return case


def of_a_service(rng: random.Random, case: Hostile) -> Hostile:
    text(rng, case)
    case.made_by[-1] = "messaging service"
    add(case, MessagingServiceSid=sid(rng, "MG"))
    if rng.random() < 0.5:
        add(case, OptOutType=rng.choice(("STOP", "START", "HELP", "stop")), Body=rng.choice(("arret", "STOP", "info")))
    return case


def by_get(rng: random.Random, case: Hostile) -> Hostile:
    text(rng, case)
    case.made_by[-1] = "get"
    case.method = "GET"
    return case


def channel(rng: random.Random, case: Hostile) -> Hostile:
    text(rng, case)
    case.made_by[-1] = "whatsapp or rcs"
    kind = rng.choice(("whatsapp", "rcs"))
    sender = rng.choice((phone(rng), "US.1234567890", f"agent_{MARK}"))
    add(
        case,
        From=f"{kind}:{sender}", To=f"{kind}:{OURS}", ProfileName=f"Ana {MARK}", WaId=PHONE[1:], ButtonText="Yes",
        ButtonPayload='{"a":1}', Latitude="37.7", Longitude="-122.4", Address=f"1 {MARK} St", Forwarded="true",
        ReferralBody="ad", ReferralNumMedia="1", OriginalRepliedMessageSid=sid(rng), InteractiveData='{"x":[1,2,{}]}',
        ChannelMetadata='{"type":"whatsapp","data":{"context":{}}}', ExternalUserId="whatsapp:US.1234567890",
    )  # fmt: skip
    return case


def fallback(rng: random.Random, case: Hostile) -> Hostile:
    text(rng, case)
    case.made_by[-1] = "fallback"
    case.path = FALLBACK
    add(case, ErrorCode="11200", ErrorUrl=f"{PUBLIC}{SMS}?Body={MARK}")
    return case


def status(rng: random.Random, case: Hostile) -> Hostile:
    """A delivery report, most often about one of the hundred texts that we sent."""
    case.made_by.append("status")
    case.path = STATUS
    n = rng.randrange(120)
    about, word = sent_sid(n), rng.choice(STATUSES)
    case.fields = pairs(
        {
            "MessageSid": about, "SmsSid": about, "MessageStatus": word, "SmsStatus": word, "AccountSid": ACCOUNT,
            "From": OURS, "To": PHONE, "ApiVersion": "2010-04-01",
        }
    )  # fmt: skip
    case.query = f"text={sent_id(n)}".encode()
    if rng.random() < 0.3:
        add(case, ErrorCode=rng.choice(CODES))
    if rng.random() < 0.3:
        add(
            case,
            RawDlrDoneDate=rng.choice(("2611231405", "9999999999", MARK, "")),
            ChannelPrefix="rcs",
            EventType="READ",
        )
    return case


def sent_sid(n: int) -> str:
    return f"SM{n:032x}"


def sent_id(n: int) -> str:
    return f"txt_{n:026d}"


def elsewhere(rng: random.Random, case: Hostile) -> Hostile:
    """A page, a probe, or a path that is nearly one of ours."""
    text(rng, case)
    case.made_by[-1] = "elsewhere"
    case.method = rng.choice(("GET", "POST", "HEAD"))
    case.path = rng.choice(PLACES)
    return case


PLACES = (
    "/healthz", "/readyz", "/metrics", "/", "//", "/plugins", "/plugins/", "/plugins/appointments/x.ics",
    "/plugins/appointments/staff.AAAA.ics", "/plugins/appointments/staff..ics", "/plugins/appointments/%00.ics",
    "/plugins/appointments/con_%F0%9F%91%8B.%ff.ics", "/plugins/appointments/../../etc/passwd", "/plugins/appointments/.ics",
    "/plugins/appointments/" + "a" * 5000 + ".ics", "/webhooks/twilio/", "//webhooks/twilio/sms", "/webhooks//twilio/sms",
    "/webhooks/twilio/sms/", "/webhooks/twilio/sms%00", "/webhooks/twilio/%73ms", "/webhooks/twilio/./sms",
    "/webhooks/twilio/../twilio/sms", "/WEBHOOKS/TWILIO/SMS", "/webhooks/twilio/sms;x=1", "/webhooks/twilio/status/x",
    "/media/x", "/media/../../etc/passwd", "/media/med_00000000000000000000000000", "/media/%2e%2e%2f", "/api/v1/texts", "/mcp",
)  # fmt: skip

BEGINNINGS: tuple[Callable[[random.Random, Hostile], Hostile], ...] = (
    text, text, mms, of_a_service, by_get, channel, fallback, status, status, status, elsewhere,
)  # fmt: skip

# What is done to them


def changed(case: Hostile, at: int, value: bytes) -> None:
    case.fields[at] = (case.fields[at][0], value)


def somewhere(rng: random.Random, case: Hostile) -> int:
    return rng.randrange(len(case.fields)) if case.fields else 0


def mutation(work: Callable[[random.Random, Hostile], None]) -> Callable[[random.Random, Hostile], None]:
    def mutate(rng: random.Random, case: Hostile) -> None:
        if not case.fields:
            case.fields = [(b"Body", MARK.encode())]
        work(rng, case)

    mutate.__name__ = work.__name__
    MUTATIONS.append(mutate)
    return mutate


MUTATIONS: list[Callable[[random.Random, Hostile], None]] = []


@mutation
def flip_bytes(rng: random.Random, case: Hostile) -> None:
    at = somewhere(rng, case)
    name, value = bytearray(case.fields[at][0]), bytearray(case.fields[at][1])
    for flipped in (name, value):
        if flipped:
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    case.fields[at] = (bytes(name), bytes(value))


@mutation
def drop_a_field(rng: random.Random, case: Hostile) -> None:
    del case.fields[somewhere(rng, case)]


@mutation
def drop_most_fields(rng: random.Random, case: Hostile) -> None:
    case.fields = [pair for pair in case.fields if rng.random() < 0.2]


@mutation
def double_a_field(rng: random.Random, case: Hostile) -> None:
    name, value = case.fields[somewhere(rng, case)]
    case.fields.append((name, rng.choice((value, value + b"x", b"", case.fields[somewhere(rng, case)][1]))))


@mutation
def thousands_of_fields(rng: random.Random, case: Hostile) -> None:
    case.fields += [(b"f%d" % n, b"") for n in range(rng.choice((1000, 2000, 6000)))]


@mutation
def other_order(rng: random.Random, case: Hostile) -> None:
    rng.shuffle(case.fields)


@mutation
def other_case_of_names(rng: random.Random, case: Hostile) -> None:
    case.fields = [(name.lower() if rng.random() < 0.5 else name.upper(), value) for name, value in case.fields]


@mutation
def absurd_numbers(rng: random.Random, case: Hostile) -> None:
    for name in ("NumMedia", "NumSegments", "ErrorCode", "MediaUrl99", "Latitude"):
        if rng.random() < 0.6:
            add(case, **{name: rng.choice(NUMBERS)})


@mutation
def pictures_that_are_not_there(rng: random.Random, case: Hostile) -> None:
    add(
        case,
        NumMedia=rng.choice(("3", "10", "11", "99999999")),
        MediaUrl1=rng.choice(URLS),
        MediaUrl11=rng.choice(URLS),
    )
    add(case, MediaContentType1=rng.choice(("image/" + "j" * 300, "\x00", "", "text/html")))


URLS = (
    "", "http://[", "file:///etc/passwd", "javascript:alert(1)", "https://api.twilio.com@evil.test/", "//api.twilio.com/x",
    "https://api.twilio.com/" + "a" * 3000, "http://169.254.169.254/latest/meta-data", "https://api.twilio.com:99999/x", MARK,
)  # fmt: skip


@mutation
def odd_characters(rng: random.Random, case: Hostile) -> None:
    odd = quote("".join(rng.choices(ODD, k=rng.randrange(1, 6)))).encode()
    at = rng.choice([n for n, (name, _) in enumerate(case.fields) if name == b"Body"] or [somewhere(rng, case)])
    changed(case, at, case.fields[at][1] + odd if rng.random() < 0.5 else odd)


@mutation
def odd_characters_anywhere(rng: random.Random, case: Hostile) -> None:
    at = somewhere(rng, case)
    name, value = case.fields[at]
    odd = quote(rng.choice(ODD)).encode()
    case.fields[at] = (name + odd, value) if rng.random() < 0.3 else (name, value + odd)


@mutation
def odd_escapes(rng: random.Random, case: Hostile) -> None:
    at = somewhere(rng, case)
    odd = b"".join(rng.choices(RAW_ODD, k=rng.randrange(1, 8)))
    name, value = case.fields[at]
    case.fields[at] = (name + odd, value) if rng.random() < 0.2 else (name, odd + value)


@mutation
def every_byte_escaped(rng: random.Random, case: Hostile) -> None:
    at = somewhere(rng, case)
    changed(case, at, b"".join(b"%%%02x" % byte for byte in unquote_to_bytes(case.fields[at][1])))


@mutation
def a_very_long_body(rng: random.Random, case: Hostile) -> None:
    piece, count = rng.choice(
        (("👋", 1600), ("a", 1600), ("\u0301\u0316", 3000), ("a\n", 20_000), ("é", 12_000), (".", 60_000))
    )
    add(case, Body=MARK + piece * count)


@mutation
def a_long_field(rng: random.Random, case: Hostile) -> None:
    name = rng.choice(
        ("MessagingServiceSid", "From", "To", "OptOutType", "FromCity", "AccountSid", "MediaContentType0")
    )
    add(case, **{name: rng.choice(("x", "é", "👋", "+1")) * rng.choice((41, 65, 300, 5000)) + MARK})


@mutation
def an_odd_sender(rng: random.Random, case: Hostile) -> None:
    odd = ("", " ", MARK, "anonymous", "+", "266696687", "+0", f"{PHONE}:", f":{PHONE}", f"a:b:{PHONE}", f"{MARK}:{PHONE}",
           "12345", "+١٢٣٤٥٦٧٨٩٠", "+1 (212) 555-0142", "whatsapp:", "\u200b+12125550142", "+" + "9" * 63, OURS)  # fmt: skip
    add(case, **{rng.choice(("From", "To")): rng.choice(odd)})


@mutation
def odd_sids(rng: random.Random, case: Hostile) -> None:
    its = sid(rng)
    odd = rng.choice(
        (its.upper(), its.lower(), its.swapcase(), its[:-1], its + "0", "SM" + "g" * 32, "", "null", "MM" + its[2:])
    )
    for name in rng.choice((("MessageSid",), ("MessageSid", "SmsSid", "SmsMessageSid"))):
        add(case, **{name: odd})


@mutation
def other_status(rng: random.Random, case: Hostile) -> None:
    add(case, MessageStatus=rng.choice(STATUSES), ErrorCode=rng.choice(CODES))


@mutation
def another_text_in_the_query(rng: random.Random, case: Hostile) -> None:
    other = rng.choice((sent_id(rng.randrange(120)), "", "%00", "txt_" + "9" * 60, "%F0%9F%91%8B", MARK, "null", "%ff"))
    case.query = rng.choice((b"text=" + other.encode(), case.query + b"&text=" + other.encode(), b"", b"text"))


@mutation
def odd_query(rng: random.Random, case: Hostile) -> None:
    case.query += b"&" + rng.choice(
        (b"x=%00", b"&&&", b"=", b"a=b;c=d", b"%", b"zqxjk=1", b"x=" + b"y" * 9000, b"bodySHA256=00")
    )


@mutation
def another_text_again(rng: random.Random, case: Hostile) -> None:
    """A number from a small set: the same SID again, perhaps with other words."""
    its = f"SM{'f' * 30}{rng.randrange(64):02x}"
    add(case, MessageSid=its, SmsSid=its, SmsMessageSid=its)


@mutation
def in_many_parts(rng: random.Random, case: Hostile) -> None:
    case.parts = rng.choice((2, 3, 50, 2000))


@mutation
def no_form_at_all(rng: random.Random, case: Hostile) -> None:
    case.body = rng.choice(
        (b"", b"\x00", b"{}", b'{"a":', b"<xml/>", b"&" * 5000, b"=" * 5000, b"%" * 5000, rng.randbytes(300))
    )


@mutation
def not_utf_8(rng: random.Random, case: Hostile) -> None:
    case.body = case.form.replace(b"a", rng.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x91")))


@mutation
def too_much(rng: random.Random, case: Hostile) -> None:
    case.body = case.form + b"&x=" + b"y" * (oracle.LARGEST + rng.randrange(-100, 100))


@mutation
def other_content_type(rng: random.Random, case: Hostile) -> None:
    kinds = (b"", b"text/plain", b"application/json", b"multipart/form-data; boundary=x", oracle.FORM + b"; charset=utf-16",
             oracle.FORM + b"x", b"\xff\xfe", oracle.FORM.upper())  # fmt: skip
    case.headers = [pair for pair in case.headers if pair[0] != b"content-type"]
    if rng.random() < 0.8:
        case.headers.append((b"content-type", rng.choice(kinds)))


@mutation
def other_method(rng: random.Random, case: Hostile) -> None:
    case.method = rng.choice(
        ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "GET", "POST", "PROPFIND", "get", "M-SEARCH")
    )


@mutation
def other_path(rng: random.Random, case: Hostile) -> None:
    case.path = rng.choice((SMS, STATUS, FALLBACK, *PLACES))


@mutation
def wrong_length(rng: random.Random, case: Hostile) -> None:
    lengths = (b"0", b"1", b"-1", b"99999999999", b"9" * 5000, b"abc", b"", b"1,1", b" 5", b"\xb2")
    case.headers.append((b"content-length", rng.choice(lengths)))


@mutation
def odd_headers(rng: random.Random, case: Hostile) -> None:
    case.headers += rng.choice(
        (
            [(b"host", b"evil.test")],
            [(b"x-forwarded-for", MARK.encode() * 100), (b"x-forwarded-proto", b"gopher")],
            [(b"h%d" % n, b"v") for n in range(500)],
            [(b"cookie", MARK.encode() * 5000)],
            [(b"x-twilio-signature", MARK.encode())],
            [(b"i-twilio-idempotency-token", MARK.encode())],
            [(b"transfer-encoding", b"chunked"), (b"content-encoding", b"gzip")],
            [(b"\xff\xfe", b"\x00")],
            [(b"authorization", b"Basic " + MARK.encode())],
        )
    )


@mutation
def hangs_up(rng: random.Random, case: Hostile) -> None:
    case.leaves_early = True


@mutation
def from_anywhere(rng: random.Random, case: Hostile) -> None:
    case.client = rng.choice(
        (f"10.{rng.randrange(256)}.{rng.randrange(256)}.1", f"2001:db8::{rng.randrange(65536):x}", MARK * 2000)
    )


# What is large takes long to make and to check, so there is less of it.
WEIGHTS = [
    0.1 if mutate.__name__ in {"thousands_of_fields", "a_very_long_body", "too_much"} else 1 for mutate in MUTATIONS
]

# How a stranger tries to sign; what he has is a signature that he saw


def replayed(rng: random.Random, case: Hostile) -> None:
    """What was signed for the request before it was changed."""


def unsigned(rng: random.Random, case: Hostile) -> None:
    case.signature = None


def made_up(rng: random.Random, case: Hostile) -> None:
    case.signature = rng.choice(
        ("", "=", "x" * 28, MARK, "\xe9" * 28, "A" * 20_000, "bm90IHRoaXM=", "null", "0" * 27 + "=")
    )


def with_another_token(rng: random.Random, case: Hostile) -> None:
    case.signature = sign(case, OTHER_TOKEN)


def with_an_empty_token(rng: random.Random, case: Hostile) -> None:
    case.signature = sign(case, "")


def for_another_url(rng: random.Random, case: Hostile) -> None:
    url = rng.choice(
        (
            f"{PUBLIC}{STATUS}x",
            f"http://sms.example.test{case.path}",
            f"{case.url}#",
            "",
            f"https://evil.test{case.path}",
        )
    )
    case.signature = oracle.sign(TOKEN, url, case.signed_fields)


def without_the_fields(rng: random.Random, case: Hostile) -> None:
    case.signature = oracle.sign(TOKEN, case.url, [])


def with_one_character_off(rng: random.Random, case: Hostile) -> None:
    right = sign(case)
    at = rng.randrange(26)  # the last one before "=" has bits that do not count
    case.signature = right[:at] + ("A" if right[at] != "A" else "B") + right[at + 1 :]


FORGERIES = (
    replayed, replayed, unsigned, made_up, with_another_token, with_an_empty_token, for_another_url, without_the_fields,
    with_one_character_off,
)  # fmt: skip
