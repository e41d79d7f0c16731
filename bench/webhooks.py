"""Requests a second of the webhook, beside a server that does nothing and one that stores nothing."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.databases import Database
from bench.load import Load, put_load
from bench.process import Server, cores, started
from bench.requests import signed_requests

WARM_UP = 3000  # requests


@dataclass(kw_only=True)
class Measured:
    """One kind of server and what its runs were like."""

    name: str
    server: Server
    database: Database | None = None
    rate: float = 0
    loads: list[Load] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)  # of the server's process, each request
    answered: int = 0  # with 200, warm-up included
    stored: int | None = None

    @property
    def per_second(self) -> float:
        return median(load.per_second for load in self.loads)


async def measure(databases: Sequence[Database], folder: Path, *, rounds: int, seconds: float) -> list[Measured]:
    """All servers in turn, round after round, so that whatever disturbs the machine disturbs all alike."""
    with contextlib.ExitStack() as stack:
        kinds: list[tuple[str, str, Database | None]]
        kinds = [("bare ASGI responder", "bare", None), ("parse and verify, store nothing", "verify", None)]
        kinds += [(f"signed, durable, {database.name}", "store", database) for database in databases]
        measured = []
        for name, kind, database in kinds:
            url = database.url if database else ""
            server = stack.enter_context(started(kind, folder / f"{kind}.log", cores().server, database=url))
            measured.append(Measured(name=name, server=server, database=database))
        for each in measured:
            each.rate = (await run(each, WARM_UP)).per_second
        for number in range(rounds):
            for each in measured:
                before = each.server.cpu_seconds()
                load = await run(each, max(int(each.rate * seconds), 100))
                each.loads.append(load)
                each.cpu_us.append(1e6 * (each.server.cpu_seconds() - before) / load.requests)
                print(f"round {number + 1}  {each.name:34} {load.per_second:8,.0f}/s", flush=True)
    for each in measured:
        if each.database is not None:
            each.stored = each.database.count("texts")
            armed, phones = each.database.count("work"), each.database.count("conversations")
            assert each.stored == each.answered, f"{each.answered} times 200, and {each.stored} texts stored"
            assert armed == phones, f"{phones} conversations, and {armed} turns armed"
    return measured


async def run(each: Measured, how_many: int) -> Load:
    load = await put_load(each.server.port, signed_requests(how_many))
    each.answered += load.requests
    each.rate = load.per_second
    return load


def table(measured: Sequence[Measured]) -> str:
    """As Markdown: medians, and ratios to the first two."""
    bare, verify = measured[0].per_second, measured[1].per_second
    lines = [
        "| server | requests/s | p50 | p99 | CPU each | of bare | of verify-only | 200s = texts stored |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for each in measured:
        p50 = median(load.p50_ms for load in each.loads)
        p99 = median(load.p99_ms for load in each.loads)
        lines.append(
            f"| {each.name} | {each.per_second:,.0f} | {p50:.1f} ms | {p99:.1f} ms | {median(each.cpu_us):.0f} µs "
            f"| {each.per_second / bare:.2f} | {each.per_second / verify:.2f} | {stored(each)} |"
        )
    return "\n".join(lines)


def stored(each: Measured) -> str:
    return "-" if each.stored is None else f"{each.answered:,} = {each.stored:,}"
