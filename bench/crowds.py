"""Many people at once: how long until everyone has a reply, and whether texts are still taken quickly meanwhile."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.databases import Database
from bench.elsewhere import Twilio, listen, openai, openai_text
from bench.pace import Paced, put_paced
from bench.process import cores, started
from bench.requests import PHONES, signed_requests

PUSHED = 500  # texts a second: what Twilio pushes at most to one destination (support article 115002943027)
MODEL_TAKES, TWILIO_TAKES = 1.0, 0.05  # seconds
SETTLE = 1.5  # as a line comes: a text that ends a sentence is answered 0.6 s later
PATIENCE = 180.0  # seconds for the last reply
BURST_SECONDS, BURST_PHONES = 60, 10_000
WARM_UP = PHONES[-50:]  # a text from each of these goes first, so that what is made once is made

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
class Run:
    """What one crowd was like on one engine, once."""

    crowd: Crowd
    engine: str
    webhooks: Paced
    seconds: float  # from the first webhook to the last reply that Twilio took
    peak_mib: float
    cpu_seconds: float
    stored: int
    turns: int
    sent: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What one crowd was like on one engine: the medians of its runs, and the worst webhook and most memory of any."""

    crowd: Crowd
    engine: str
    runs: Sequence[Run]

    @property
    def seconds(self) -> float:
        return median(run.seconds for run in self.runs)

    def webhook_ms(self, percent: float) -> float:
        return median(run.webhooks.ms(percent) for run in self.runs)

    @property
    def worst_ms(self) -> float:
        return max(run.webhooks.ms(100) for run in self.runs)

    @property
    def peak_mib(self) -> float:
        return max(run.peak_mib for run in self.runs)

    @property
    def cpu_ms(self) -> float:
        """Of one text, its reply included."""
        return 1000 * median(run.cpu_seconds for run in self.runs) / self.crowd.texts


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


async def measure(
    make: Callable[[], Sequence[Database]], folder: Path, crowds: Sequence[Crowd], *, rounds: int = 1
) -> list[Measured]:
    """Each crowd on each engine, round after round, each with a server and a database of its own."""
    urls = {
        BARE: "",
        WIRE: f"http://127.0.0.1:{await listen(openai_text, takes=MODEL_TAKES)}/v1",
        ACTION: f"http://127.0.0.1:{await listen(openai, takes=MODEL_TAKES)}/v1",
    }
    runs: dict[tuple[Crowd, str], list[Run]] = {}
    for number in range(rounds):
        for crowd in crowds:
            for database in make():
                once = await run(crowd, database, folder, urls[crowd.model])
                runs.setdefault((crowd, database.name), []).append(once)
                print(
                    f"round {number + 1}  {row(Measured(crowd=crowd, engine=database.name, runs=[once]))}", flush=True
                )
    return [Measured(crowd=crowd, engine=engine, runs=each) for (crowd, engine), each in runs.items()]


async def run(crowd: Crowd, database: Database, folder: Path, model_url: str) -> Run:
    twilio = Twilio()
    requests = signed_requests(crowd.texts, PHONES[: crowd.phones])
    options: dict[str, str | Path] = {
        "database": database.url,
        "twilio": f"http://127.0.0.1:{await listen(twilio.respond, takes=TWILIO_TAKES)}",
        "media": folder / "media",
        "model": "second" if crowd.model == BARE else "wire",
        "model_url": model_url,
        "settle": str(SETTLE),
    }
    with started("turns", folder / "crowds.log", cores().server, **options) as server:
        twilio.expect(len(WARM_UP))
        await put_paced(server.port, signed_requests(len(WARM_UP), WARM_UP), per_second=PUSHED)
        await answered(twilio, database)
        before = server.cpu_seconds()
        twilio.expect(crowd.phones)
        pace = crowd.texts if crowd.arrival == SAME_SECOND else PUSHED
        webhooks = await put_paced(server.port, requests, per_second=pace)
        await answered(twilio, database)
        cpu, peak = server.cpu_seconds() - before, server.peak_mib()
    each = Run(
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


async def answered(twilio: Twilio, database: Database) -> None:
    """Until Twilio has all that it expects, and there is no work left: all of it is written down."""
    await asyncio.wait_for(twilio.has_all.wait(), PATIENCE)
    give_up = time.monotonic() + PATIENCE
    while left := await asyncio.to_thread(database.count, "work", "kind IN ('turn', 'send', 'media')"):
        assert time.monotonic() < give_up, f"After {PATIENCE:g} s there are {left} rows of work left."
        await asyncio.sleep(0.5)


def check(each: Run, database: Database, twilio: Twilio) -> None:
    """None was lost, none was answered twice."""
    texts, phones = each.crowd.texts + len(WARM_UP), each.crowd.phones + len(WARM_UP)
    found = {
        "stored": each.stored,
        "answered": database.count("texts", "is_inbound AND handled_at IS NOT NULL"),
        "answered with 200": len(each.webhooks.took) + len(WARM_UP),
    }
    assert set(found.values()) == {texts}, f"{texts} texts came in, and there are {found}"
    replies = {
        "turns": database.count("turns"),
        "turns done": each.turns,
        "texts sent": database.count("texts", "status = 'sent'"),
        "texts at Twilio": len(twilio.by_id),
    }
    assert set(replies.values()) == {each.sent}, f"Twilio was asked {each.sent} times, and there are {replies}"
    assert len(twilio.by_phone) == phones, f"{len(twilio.by_phone)} of {phones} people got a reply."
    assert each.sent == phones or texts > phones, f"{phones} people with one text each got {each.sent} replies."


def table(measured: Sequence[Measured]) -> str:
    """As Markdown."""
    lines = [
        "| texts | from phones | arriving | model | database | everyone has a reply after | webhook p50 | p99 | "
        "worst | memory | CPU per text | lost or doubled |",
        "|--:|--:|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    return "\n".join([*lines, *(row(each) for each in measured)])


def row(each: Measured) -> str:
    crowd = each.crowd
    return (
        f"| {crowd.texts:,} | {crowd.phones:,} | {crowd.arrival} | {MODELS[crowd.model]} | {each.engine} "
        f"| {each.seconds:.1f} s | {each.webhook_ms(50):.0f} ms | {each.webhook_ms(99):.0f} ms | {each.worst_ms:.0f} ms "
        f"| {each.peak_mib:.0f} MiB | {each.cpu_ms:.1f} ms | 0 |"
    )
