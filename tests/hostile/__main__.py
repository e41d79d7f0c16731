"""`make fuzz`: hostile requests against a server on each database, and what became of them, by kind."""

import argparse
import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replyline.clock import FakeClock
from tests.hostile.requests import Hostile, a_case
from tests.hostile.run import Run, fuzz, fuzz_one_sign_up
from tests.hostile.sign_ups import a_sign_up
from tests.hostile.target import START
from tests.support import databases, postgres_server

ENGINES = ("sqlite", "postgresql")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=...", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="how many requests, for each engine")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000), help="the same seed makes the same requests"
    )
    parser.add_argument("--case", type=int, help="show the request of this number, and send it alone")
    parser.add_argument("--sign-up", type=int, metavar="N", help="the same of the sign-up of this number")
    parser.add_argument("--engine", choices=ENGINES, help="one engine only")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    if given.case is not None:
        show(a_case(given.seed, given.case))
    if given.sign_up is not None:
        show(a_sign_up(given.seed, given.sign_up, FakeClock(START).now().timestamp()))
    postgres_server.begin_run()
    try:
        for engine in [given.engine] if given.engine else ENGINES:
            with a_database(engine) as (url, folder):
                print(asyncio.run(send(url, folder, engine, given)), flush=True)
    finally:
        postgres_server.end_run()


async def send(url: str, folder: Path, engine: str, given: argparse.Namespace) -> str:
    """What was asked for, and what came of it."""
    if given.sign_up is not None:
        await fuzz_one_sign_up(url, folder, seed=given.seed, number=given.sign_up)
        return f"{engine}: every promise held."
    if given.case is not None:
        one = await fuzz(url, folder, seed=given.seed, count=1, first=given.case, with_sign_ups=False)
        return as_text(engine, one)
    return as_text(engine, await fuzz(url, folder, seed=given.seed, count=given.count, tell=print))


@contextmanager
def a_database(engine: str) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="replyline-fuzz-") as name:
        folder = Path(name)
        if engine == "sqlite":
            yield f"sqlite:///{folder}/replyline.db", folder
        else:
            with databases.empty_postgres_database() as url:
                yield url, folder


def show(case: Hostile) -> None:
    print(f"{' + '.join(case.made_by)}\n{case.method} {case.url[:2000]}")
    for name, value in case.sent_headers:
        print(f"{name.decode('latin-1')}: {value[:200]!r}")
    print(f"{case.sent_body[:4000]!r}\naccepted: {case.is_accepted}")


def as_text(engine: str, run: Run) -> str:
    """The run as a table: how often each kind of request got which answer."""
    statuses = sorted({status for _, status in run.tally})
    by_kind: dict[str, Counter[int]] = {}
    for (kind, status), times in run.tally.items():
        by_kind.setdefault(kind.replace("_", " "), Counter())[status] += times
    head = ["", "requests", *(str(status) for status in statuses)]
    rows = [
        [kind, str(sum(got.values())), *(str(got[status] or "") for status in statuses)]
        for kind, got in sorted(by_kind.items())
    ]
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    lines = [
        " | ".join(cell.ljust(widths[n]) if n == 0 else cell.rjust(widths[n]) for n, cell in enumerate(row))
        for row in [head, *rows]
    ]
    summary = (
        f"\n{engine}: {run.count} requests, {run.sign_ups} sign-ups and {run.turns} turns in {run.seconds:.0f} s; "
        f"every promise held. "
        f"Memory grew by {run.growth:.1f} MB once warm. Replay one with make fuzz ARGS='--seed {run.seed} --case N'."
    )
    return "\n".join([*lines, summary])


if __name__ == "__main__":
    main()
