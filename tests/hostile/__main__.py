"""`make fuzz`: hostile requests against a server on each database, and what became of them, by kind."""

import argparse
import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hostile.requests import a_case
from tests.hostile.run import Run, fuzz
from tests.support import databases, postgres_server

ENGINES = ("sqlite", "postgresql")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=...", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="how many requests, for each engine")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000), help="the same seed makes the same requests"
    )
    parser.add_argument("--case", type=int, help="show the request of this number, and send it alone")
    parser.add_argument("--engine", choices=ENGINES, help="one engine only")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    if given.case is not None:
        show(given.seed, given.case)
    count = given.count if given.case is None else 1
    postgres_server.begin_run()
    try:
        for engine in [given.engine] if given.engine else ENGINES:
            with a_database(engine) as (url, folder):
                told = print if count > 1 else lambda words: None
                run = asyncio.run(fuzz(url, folder, seed=given.seed, count=count, first=given.case or 0, tell=told))
            print(as_text(engine, run), flush=True)
    finally:
        postgres_server.end_run()


@contextmanager
def a_database(engine: str) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="replyline-fuzz-") as name:
        folder = Path(name)
        if engine == "sqlite":
            yield f"sqlite:///{folder}/replyline.db", folder
        else:
            with databases.empty_postgres_database() as url:
                yield url, folder


def show(seed: int, number: int) -> None:
    case = a_case(seed, number)
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
        f"\n{engine}: {run.count} requests and {run.turns} turns in {run.seconds:.0f} s; every promise held. "
        f"Memory grew by {run.growth:.1f} MB once warm. Replay one with make fuzz ARGS='--seed {run.seed} --case N'."
    )
    return "\n".join([*lines, summary])


if __name__ == "__main__":
    main()
