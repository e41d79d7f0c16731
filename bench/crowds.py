"""Many people at once: how long until everyone has a reply, and whether texts are still taken quickly meanwhile."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.databases import Database
from bench.elsewhere import Twilio, listen, openai, openai_text
from bench.pace import Paced, put_paced
from bench.process import cores, started
from bench.requests import signed_requests

PUSHED = 500  # texts a second: what Twilio pushes at most to one destination (support article 115002943027)
MODEL_TAKES, TWILIO_TAKES = 1.0, 0.05  # seconds
SETTLE = 1.5  # as a line comes: a text that ends a sentence is answered 0.6 s later
PATIENCE = 180.0  # seconds for the last reply
BURST_SECONDS, BURST_PHONES = 60, 10_000

BARE, WIRE, ACTION = "bare", "wire", "action"
# What the table calls them.
MODELS = {
    BARE: "bare",
    WIRE: "pydantic-ai, OpenAI client, HTTP",
    ACTION: "the same, two answers and an action",
}
PUSH, SAME_SECOND = "500 a second", "all within one second"


@dataclass(frozen=True, kw_only=True, slots=True)
class Crowd:
    """What is asked of the server."""

    texts: int
    phones: int
    arrival: str
    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What one crowd was like on one engine."""

    crowd: Crowd
    engine: str
    webhooks: Paced
    seconds: float  # from the first webhook to the last reply that Twilio took
    peak_mib: float
    cpu_seconds: float
    stored: int
    turns: int
    sent: int


CROWDS = [
    *(
        Crowd(texts=people, phones=people, arrival=arrival, model=model)
        for model in (BARE, WIRE)
        for arrival in (PUSH, SAME_SECOND)
        for people in (2000, 5000)
    ),
    Crowd(texts=2000, phones=2000, arrival=PUSH, model=ACTION),
    Crowd(texts=PUSHED * BURST_SECONDS, phones=BURST_PHONES, arrival=PUSH, model=WIRE),
]


async def measure(make: Callable[[], Sequence[Database]], folder: Path, crowds: Sequence[Crowd]) -> list[Measured]:
    """Each crowd on each engine, each with a server and a database of its own."""
    urls = {
        BARE: "",
        WIRE: f"http://127.0.0.1:{await listen(openai_text, takes=MODEL_TAKES)}/v1",
        ACTION: f"http://127.0.0.1:{await listen(openai, takes=MODEL_TAKES)}/v1",
    }
    measured = []
    for crowd in crowds:
        for database in make():
            each = await run(crowd, database, folder, urls[crowd.model])
            measured.append(each)
            print(f"{row(each)}", flush=True)
    return measured


async def run(crowd: Crowd, database: Database, folder: Path, model_url: str) -> Measured:
    twilio = Twilio()
    requests = signed_requests(crowd.texts, phones=crowd.phones)
    options: dict[str, str | Path] = {
        "database": database.url,
        "twilio": f"http://127.0.0.1:{await listen(twilio.respond, takes=TWILIO_TAKES)}",
        "media": folder / "media",
        "model": "second" if crowd.model == BARE else "wire",
        "model_url": model_url,
        "settle": str(SETTLE),
    }
    with started("turns", folder / "crowds.log", cores().server, **options) as server:
        before = server.cpu_seconds()
        pace = crowd.texts if crowd.arrival == SAME_SECOND else PUSHED
        twilio.expect(crowd.phones)
        webhooks = await put_paced(server.port, requests, per_second=pace)
        await asyncio.wait_for(twilio.has_all.wait(), PATIENCE)
        await all_is_done(database)
        cpu, peak = server.cpu_seconds() - before, server.peak_mib()
    each = Measured(
        crowd=crowd,
        engine=database.name,
        webhooks=webhooks,
        seconds=twilio.last_at + TWILIO_TAKES - webhooks.began_at,
        peak_mib=peak,
        cpu_seconds=cpu,
        stored=database.count("texts", "is_inbound"),
        turns=database.count("turns", "state = 'done'"),
        sent=twilio.texts,
    )
    check(each, database, twilio)
    return each


async def all_is_done(database: Database) -> None:
    """Until there is no work left: every text is answered, and every answer sent and written down."""
    give_up = time.monotonic() + PATIENCE
    while left := await asyncio.to_thread(database.count, "work"):
        assert time.monotonic() < give_up, f"After {PATIENCE:g} s there are {left} rows of work left."
        await asyncio.sleep(0.5)


def check(each: Measured, database: Database, twilio: Twilio) -> None:
    """None was lost, none was answered twice."""
    answered = database.count("texts", "is_inbound AND handled_at IS NOT NULL")
    assert len(each.webhooks.took) == each.stored == each.crowd.texts, f"{each.stored} texts stored, {each.crowd}"
    assert answered == each.stored, f"{each.stored} texts stored and {answered} answered"
    assert database.count("turns") == each.turns == each.sent, f"{each.turns} turns done and {each.sent} texts sent"
    assert database.count("texts", "status = 'sent'") == each.sent, "A text is at Twilio and not written down as sent."
    assert set(twilio.by_id.values()) == {1}, "A text left twice."
    assert len(twilio.by_phone) == each.crowd.phones, "Somebody got no reply."
    if each.crowd.texts == each.crowd.phones:
        assert set(twilio.by_phone.values()) == {1}, "Somebody got two replies to one text."


def table(measured: Sequence[Measured]) -> str:
    """As Markdown."""
    lines = [
        "| texts | from phones | arriving | model | database | everyone has a reply after | webhook p50 | p99 | "
        "worst | memory | CPU per text | replies | lost |",
        "|--:|--:|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    return "\n".join([*lines, *(row(each) for each in measured)])


def row(each: Measured) -> str:
    crowd, hooks = each.crowd, each.webhooks
    return (
        f"| {crowd.texts:,} | {crowd.phones:,} | {crowd.arrival} | {MODELS[crowd.model]} | {each.engine} "
        f"| {each.seconds:.1f} s | {hooks.ms(50):.0f} ms | {hooks.ms(99):.0f} ms | {hooks.ms(100):.0f} ms "
        f"| {each.peak_mib:.0f} MiB | {1000 * each.cpu_seconds / crowd.texts:.1f} ms | {each.sent:,} | 0 |"
    )
