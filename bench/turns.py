"""Turns from end to end: a signed text in, two model calls and an action, a text out through Twilio's API."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.databases import Database
from bench.elsewhere import Twilio, listen, openai
from bench.load import put_load
from bench.models import KINDS
from bench.process import Server, cores, started
from bench.requests import signed_requests

TURNS = 300  # in one run, each of another phone; every run goes on with the same conversations
PATIENCE = 120.0  # seconds for one run


@dataclass(kw_only=True)
class Measured:
    """One model on one engine, and what its runs were like."""

    model: str
    database: Database
    server: Server
    twilio: Twilio
    per_second: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)  # of the serving process, each turn


async def measure(databases: Sequence[Database], folder: Path, *, rounds: int) -> list[Measured]:
    """Every model on every engine in turn, round after round."""
    with contextlib.ExitStack() as stack:
        model_url = f"http://127.0.0.1:{await listen(openai)}/v1"
        measured = []
        for model, database in zip([model for model in KINDS for _ in "ab"], databases, strict=True):
            twilio = Twilio()
            options: dict[str, str | Path] = {
                "database": database.url,
                "twilio": f"http://127.0.0.1:{await listen(twilio.respond)}",
                "media": folder / "media",
                "model": model,
                "model_url": model_url,
            }
            server = stack.enter_context(started("turns", folder / "turns.log", cores().server, **options))
            measured.append(Measured(model=model, database=database, server=server, twilio=twilio))
        for number in range(-1, rounds):
            for each in measured:
                await run(each, is_warm_up=number < 0)
                if number >= 0:
                    print(
                        f"round {number + 1}  {each.database.name:10} {KINDS[each.model]:46} "
                        f"{each.per_second[-1]:6.0f} turns/s  {each.cpu_ms[-1]:5.2f} ms CPU",
                        flush=True,
                    )
    for each in measured:
        check(each, TURNS * (rounds + 1))
    return measured


async def run(each: Measured, *, is_warm_up: bool) -> None:
    each.twilio.expect(TURNS)
    requests = signed_requests(TURNS)
    cpu, began = each.server.cpu_seconds(), time.perf_counter()
    await put_load(each.server.port, requests)
    await asyncio.wait_for(each.twilio.has_all.wait(), PATIENCE)
    seconds = time.perf_counter() - began
    await asyncio.sleep(0.3)  # what Twilio answered last is written down
    cpu = each.server.cpu_seconds() - cpu
    if not is_warm_up:
        each.per_second.append(TURNS / seconds)
        each.cpu_ms.append(1000 * cpu / TURNS)


def check(each: Measured, turns: int) -> None:
    """Every text was answered once, and nothing is left to do."""
    found = {
        "turns done": each.database.count("turns", "state = 'done'"),
        "texts sent": each.database.count("texts", "status = 'sent'"),
        "texts at Twilio": each.twilio.texts,
        "actions ended": each.database.count(
            "steps", "kind = 'action' AND state = 'ended' AND substr(output, 1, 6) = 'Booked'"
        ),
    }
    assert set(found.values()) == {turns}, f"{turns} texts came in, and there are {found}"
    assert each.database.count("work", "kind IN ('turn', 'send', 'media')") == 0, "Work is left over."


def table(measured: Sequence[Measured]) -> str:
    """As Markdown: medians."""
    lines = ["| model | database | turns/s | CPU per turn | turns = texts sent |", "|---|---|--:|--:|--:|"]
    lines += [
        f"| {KINDS[each.model]} | {each.database.name} | {median(each.per_second):,.0f} "
        f"| {median(each.cpu_ms):.1f} ms | {each.twilio.texts:,} |"
        for each in measured
    ]
    return "\n".join(lines)
