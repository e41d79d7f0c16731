"""Counting segments: ours beside what PyPI has, and how often each is right."""

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from statistics import median

from tests.conversations.calculator.texts import HOW_MANY, SEED, recorded, texts

from replyline.conversations.segments import measure as count

Counter = Callable[[str], int]  # a text, and its segments

LETTERS = "abcdefghijklmnopqrstuvwxyz "
PLAIN = (LETTERS * 6)[:160]
KINDS = {
    "160 plain ASCII": PLAIN,
    "306 with € and [": (LETTERS * 12)[:302] + "€[",
    "160 with é": ("caf\xe9 " * 32)[:160],
    "70 Cyrillic": "привет, " * 8 + "привет",
    "200 with emoji": (LETTERS * 4)[:98] + "👋" + (LETTERS * 4)[:98] + "👋",
}
FASTER = 300_000  # texts a second on one core, of 160 plain characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One way to count: texts a second by kind, and its right answers."""

    name: str
    per_second: dict[str, float]
    right: tuple[int, int]  # of the recorded texts in GSM-7, and of those in UCS-2
    asked: tuple[int, int]


def counters() -> dict[str, Counter | None]:
    """None is not installed here."""
    return {
        "Replyline": lambda body: count(body).segments,
        named("smsutil"): found("smsutil", lambda it: lambda body: len(it.split(body).parts)),
        named("sms-counter"): found("sms.counter", of_sms_counter),
        named("gsm0338"): found("gsm0338", of_gsm0338),
    }


def of_sms_counter(package: object) -> Counter:
    of = package.SMSCounter()  # type: ignore[attr-defined]
    return lambda body: max(of.count(body).segment, 1)


def of_gsm0338(package: object) -> Counter:
    """It encodes and does not split: the naive division that its readers write."""
    codec = package.Codec()  # type: ignore[attr-defined]

    def segments(body: str) -> int:
        try:
            units, alone, joined = len(codec.encode(body)[0]), 160, 153
        except UnicodeError:
            units, alone, joined = len(body.encode("utf-16-be", "surrogatepass")) // 2, 70, 67
        return 1 if units <= alone else -(-units // joined)

    return segments


def named(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def found(module: str, by: Callable[[object], Counter]) -> Counter | None:
    try:
        return by(importlib.import_module(module))
    except ImportError:
        return None


def measure(*, rounds: int, seconds: float) -> list[Measured]:
    """Round after round, each in turn, so that whatever disturbs the machine disturbs all alike."""
    installed = {name: counter for name, counter in counters().items() if counter is not None}
    rates: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in KINDS} for name in installed}
    for _ in range(rounds):
        for kind, body in KINDS.items():
            for name, counter in installed.items():
                rates[name][kind].append(rate(counter, body, seconds / 20))
    return [
        Measured(
            name=name,
            per_second={kind: median(each) for kind, each in rates[name].items()},
            **dict(zip(("right", "asked"), right_answers(counter), strict=True)),
        )
        for name, counter in installed.items()
    ]


def rate(counter: Counter, body: str, seconds: float) -> float:
    """Texts a second by this process's own CPU time: others may use the core as well."""
    try:
        counter(body)
    except Exception:
        return 0
    done, began = 0, time.process_time()
    while (took := time.process_time() - began) < seconds:
        for _ in range(100):
            counter(body)
        done += 100
    return done / took


def right_answers(counter: Counter) -> tuple[tuple[int, int], tuple[int, int]]:
    """Against Twilio's own calculator."""
    right, asked = [0, 0], [0, 0]
    for body, (said, _) in zip(texts(SEED, HOW_MANY), recorded()[1], strict=True):
        place = int(said[0] == "UCS-2")
        asked[place] += 1
        try:
            right[place] += counter(body) == len(said) - 2
        except Exception:
            continue  # it cannot say
    return (right[0], right[1]), (asked[0], asked[1])


def table(measured: Sequence[Measured]) -> str:
    """As Markdown: medians."""
    heads = [*KINDS, "right in GSM-7", "right in UCS-2"]
    lines = [f"| texts/s on one core | {' | '.join(heads)} |", f"|---|{'--:|' * len(heads)}"]
    for each in measured:
        cells = [f"{per_second:,.0f}" if per_second else "fails" for per_second in each.per_second.values()]
        cells += [f"{right:,} of {asked:,}" for right, asked in zip(each.right, each.asked, strict=True)]
        lines.append(f"| {each.name} | {' | '.join(cells)} |")
    absent = [name for name, counter in counters().items() if counter is None]
    return "\n".join(lines) + (f"\n\nNot installed here: {', '.join(absent)}." if absent else "")
