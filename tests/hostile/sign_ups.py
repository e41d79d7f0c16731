"""Hostile sign-ups: what a web form that has gone wrong sends, and a stranger who has seen one pass by."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from replyline.db.tables import consent_events
from replyline.people.sign_up_page import HEADER, LARGEST_BODY, PATH, signature_of
from tests.hostile.people import MARK, NUMBERS, ODD, OTHER_TOKEN, SIGN_UP_SECRET
from tests.hostile.requests import Hostile, from_anywhere, hangs_up, odd_headers, odd_query, wrong_length
from tests.hostile.target import Target

SIGNED, OTHERS = SIGN_UP_SECRET.encode(), OTHER_TOKEN.encode()
JSON = b"application/json"
Mutate = Callable[[random.Random, "SignUp"], None]


@dataclass
class SignUp(Hostile):
    """One sign-up on its way to become something nobody expects."""

    form_fields: dict[str, Any] = field(default_factory=dict)
    at: int = 0  # what the signature says is the time, in seconds since 1970
    is_the_forms: bool = False  # signed by who knows the secret, for this body, just now

    @property
    def sent_headers(self) -> list[tuple[bytes, bytes]]:
        signed = [] if self.signature is None else [(HEADER.lower().encode(), self.signature.encode("latin-1"))]
        return [*self.headers, *signed]

    @property
    def is_accepted(self) -> bool:  # type: ignore[override]
        return self.is_the_forms and self.method == "POST" and not self.leaves_early and not self.is_too_much

    @property
    def is_too_much(self) -> bool:
        return len(self.sent_body) > LARGEST_BODY

    def sign(self, secret: bytes = SIGNED, *, after: float = 0) -> None:
        at = int(self.at + after)
        self.signature = f"t={at},v1={signature_of(secret, self.sent_body, at)}"

    def replay(self) -> str:
        return f"make fuzz ARGS='--seed {self.seed} --sign-up {self.number}'  # {' + '.join(self.made_by)}"


def a_sign_up(seed: int, number: int, now: float) -> SignUp:
    """The sign-up of this number, sent at this time."""
    rng = random.Random(f"{seed}/sign-up/{number}")
    case = SignUp(number=number, seed=seed, path=PATH, at=int(now), made_by=["sign-up"])
    case.headers = [(b"content-type", JSON), (b"user-agent", b"form/1")]
    case.client = f"198.51.{rng.randrange(100)}.{rng.randrange(256)}"
    case.form_fields = honest(rng)
    case.body = written(case.form_fields)
    case.sign()  # what a stranger has seen
    for mutate in rng.choices(MUTATIONS, k=rng.choice((0, 1, 1, 1, 2))):
        case.made_by.append(mutate.__name__)
        mutate(rng, case)
    if rng.random() < 0.6:
        case.sign()
        case.is_the_forms = True
    else:
        forge = rng.choice(FORGERIES)
        case.made_by.append(forge.__name__)
        forge(rng, case)
    return case


def honest(rng: random.Random) -> dict[str, Any]:
    return {
        "phone": f"+1212555{rng.randrange(10_000):04d}",
        "purpose": rng.choice(("marketing", "transactional")), "tier": "express_written",
        "submission": f"{MARK}-{rng.randrange(500)}", "disclosure": f"I agree {MARK}. Not a condition.",
        "page_url": f"https://gym.example.test/{MARK}", "action": "checkbox ticked", "ip": "203.0.113.7",
        "user_agent": f"Firefox {MARK}", "language": "en", "form_id": "f1", "name": f"Ana {MARK}",
    }  # fmt: skip


def written(fields: object) -> bytes:
    """As JSON; half an emoji stays an escape, which is the only way it can be written."""
    return json.dumps(fields).encode()


# What goes wrong with them

MUTATIONS: list[Mutate] = [from_anywhere, hangs_up, odd_headers, odd_query, wrong_length]


def mutation(work: Mutate) -> Mutate:
    def mutate(rng: random.Random, case: SignUp) -> None:
        work(rng, case)
        case.body = written(case.form_fields)

    mutate.__name__ = work.__name__
    MUTATIONS.append(mutate)
    return mutate


def raw(work: Mutate) -> Mutate:
    MUTATIONS.append(work)
    return work


def some_field(rng: random.Random, case: SignUp) -> str:
    return rng.choice([*case.form_fields, "phone"])


@mutation
def leave_out(rng: random.Random, case: SignUp) -> None:
    case.form_fields.pop(some_field(rng, case), None)


@mutation
def something_else(rng: random.Random, case: SignUp) -> None:
    nested: object = MARK
    for _ in range(rng.choice((1, 50))):
        nested = [nested]
    case.form_fields[some_field(rng, case)] = rng.choice(
        (None, True, 0, -1, 1e308, 10**400, [], {}, nested, {MARK: MARK})
    )


@mutation
def odd_characters(rng: random.Random, case: SignUp) -> None:
    for name in rng.sample(sorted(case.form_fields), k=min(len(case.form_fields), rng.choice((1, 1, 4)))):
        odd = "".join(rng.choices([*ODD, "\ud83d", "\udc00"], k=rng.randrange(1, 4)))
        case.form_fields[name] = rng.choice((odd, f"{case.form_fields[name]}{odd}"))


@mutation
def too_long(rng: random.Random, case: SignUp) -> None:
    case.form_fields[some_field(rng, case)] = rng.choice(("x", "é", "👋", " ")) * rng.choice((200, 201, 2_001, 20_001))


@mutation
def empty(rng: random.Random, case: SignUp) -> None:
    case.form_fields[some_field(rng, case)] = rng.choice(("", " ", "\t"))


@mutation
def odd_phone(rng: random.Random, case: SignUp) -> None:
    case.form_fields["phone"] = rng.choice(
        (*NUMBERS, "+", "+1", "whatsapp:+12125550142", "+1 (212) 555-0142", "2125550142", "266696687", "+٤٤", f"+{MARK}",
         "+3531234567", "+999123456789", "+1" + "2" * 63)
    )  # fmt: skip


@mutation
def odd_choice(rng: random.Random, case: SignUp) -> None:
    name = rng.choice(("purpose", "tier", "program"))
    case.form_fields[name] = rng.choice(
        ("MARKETING", "express", "express_written", "promotional", "opt_in", "reply", "news", MARK, "", "\x00")
    )


@mutation
def more_than_asked(rng: random.Random, case: SignUp) -> None:
    for name in rng.choice((("source",), ("is_welcomed", "proof"), tuple(f"f{n}" for n in range(2_000)))):
        case.form_fields[name] = MARK


@mutation
def again(rng: random.Random, case: SignUp) -> None:
    """One of a few submissions of a few people: sent twice, it counts once."""
    case.form_fields |= {"phone": f"+1212555{rng.randrange(5):04d}", "submission": f"again-\x00{rng.randrange(5)}"}


@raw
def no_json_at_all(rng: random.Random, case: SignUp) -> None:
    case.body = rng.choice(
        (b"", b"\x00", b"[]", b"null", b"NaN", b'{"a":', b"{" * 5_000, b"[" * 60_000, b"\xef\xbb\xbf{}", rng.randbytes(300))
    )  # fmt: skip


@raw
def spoiled_json(rng: random.Random, case: SignUp) -> None:
    body = bytearray(case.sent_body)
    if body:
        at = rng.randrange(len(body))
        body[at : at + rng.choice((0, 1, 5))] = rng.choice((b"\xff", b'"', b"\\", b"\\ud800", b"\x00", b"1e999", b","))
    case.body = bytes(body)


@raw
def names_twice(rng: random.Random, case: SignUp) -> None:
    case.body = case.sent_body.rstrip(b"}") + b', "phone": "+1212666%04d", "purpose": "marketing"}' % rng.randrange(
        10_000
    )


@raw
def in_another_encoding(rng: random.Random, case: SignUp) -> None:
    case.body = case.sent_body.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-32", "utf-7")))


@raw
def too_much(rng: random.Random, case: SignUp) -> None:
    case.body = case.sent_body + b" " * (LARGEST_BODY - len(case.sent_body) + rng.choice((0, 1, 500)))


@raw
def in_many_parts(rng: random.Random, case: SignUp) -> None:
    case.parts = rng.choice((2, 50, 2_000))


@raw
def other_method(rng: random.Random, case: SignUp) -> None:
    case.method = rng.choice(("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "M-SEARCH"))


# How a stranger tries to sign


def replayed(rng: random.Random, case: SignUp) -> None:
    """What was signed before the body was changed, or ten minutes ago."""
    case.body = case.sent_body + b" "


def unsigned(rng: random.Random, case: SignUp) -> None:
    case.signature = None


def made_up(rng: random.Random, case: SignUp) -> None:
    case.signature = rng.choice(
        ("", "t=,v1=", f"t={case.at},v1=" + "0" * 64, f"t={case.at}", MARK, "\xe9" * 70, f"t={'9' * 12},v1=" + "a" * 64,
         f"t={case.at},v1=" + "A" * 20_000, f"t=-1,v1={'0' * 64}", f"t=\xb2,v1={'0' * 64}")
    )  # fmt: skip


def with_another_secret(rng: random.Random, case: SignUp) -> None:
    case.sign(rng.choice((OTHERS, b"", b"None")))


def at_another_time(rng: random.Random, case: SignUp) -> None:
    case.sign(after=rng.choice((-301, 301, -86_400, 10**9, -case.at)))


FORGERIES: tuple[Mutate, ...] = (replayed, unsigned, made_up, with_another_secret, at_another_time)


# What must become of them


async def try_sign_ups(target: Target, cases: list[SignUp]) -> None:
    """Only what the form has signed leaves a trace, and that is kept once and as it was said, or refused whole."""
    await target.must_leave_no_trace([case for case in cases if not case.is_accepted])
    for case in (case for case in cases if case.is_accepted):
        end = await target.app.db.run(end_of_ledger)
        [got] = await target.ask_all([case])
        assert got.status in {200, 201, 409, 422}, f"{got.status} to {case.replay()}"
        new = await target.app.db.run(opt_ins, consent_events.c.position > end)
        assert len(new) == (got.status == 201), f"{got.status} and {len(new)} kept from {case.replay()}"
        for row in new:
            assert is_as_said(row, case), f"{row.proof} from {case.replay()}"
            theirs = await target.app.db.run(opt_ins, consent_events.c.phone == row.phone)
            assert [is_as_said(each, case) for each in theirs].count(True) == 1, f"kept twice: {case.replay()}"


def end_of_ledger(conn: Any) -> int:
    return conn.execute(select(func.max(consent_events.c.position))).scalar() or 0


def opt_ins(conn: Any, which: Any) -> list[Any]:
    return list(conn.execute(select(consent_events).where(consent_events.c.kind == "opt_in", which)))


def is_as_said(row: Any, case: SignUp) -> bool:
    """Whether this consent is this sign-up, word for word but for NUL, which PostgreSQL cannot hold."""
    said = json.loads(case.sent_body)
    kept = {"submission": said["submission"], "scope": said["purpose"], "program": said.get("program") or None}
    kept |= {name: said.get(name, "") for name in ("disclosure", "page_url", "ip", "user_agent", "name", "language")}
    has = {"scope": row.scope, "program": row.program, **row.proof}
    return all((has.get(name) or "") == str(value or "").replace("\x00", "") for name, value in kept.items())
