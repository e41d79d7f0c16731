"""Measures Replyline beside a bare server, all in one run: `python -m bench`, with `--write` into docs/performance.md."""

import argparse
import contextlib
import tempfile
from pathlib import Path

import uvloop

from bench import costs, crowds, judging, machine, page, segments, turns, webhooks
from bench.databases import Database, postgres_databases, sqlite_database
from bench.models import KINDS
from bench.process import cores
from bench.server import use_core


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each thing is measured; the median counts")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each measurement takes, about")
    parts = ["webhooks", "turns", "judging", "load", "segments", "costs"]
    parser.add_argument("--only", choices=parts, help="measure one part")
    parser.add_argument("--crowds", default="", metavar="N,N", help="of the load, these crowds only, by their number")
    parser.add_argument("--load-rounds", type=int, default=3, help="how often each crowd comes; the median counts")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/performance.md")
    given = parser.parse_args()
    text = uvloop.run(measure(given))
    print(f"\n{text}")
    if given.write:
        page.write(text)


async def measure(given: argparse.Namespace) -> str:
    counted = []
    if given.only in {None, "segments"}:
        use_core(cores().load)
        counted = segments.measure(rounds=given.rounds, seconds=given.seconds)
    if given.only == "segments":
        return page.as_text(machine.description(Path(tempfile.gettempdir()), []), [], [], [], counted)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="replyline-bench-")))
        postgres = stack.enter_context(postgres_databases())
        use_core(cores().load)

        def databases(of_each: int) -> list[Database]:
            both = [(sqlite_database(folder), stack.enter_context(postgres.database())) for _ in range(of_each)]
            return [database for pair in both for database in pair]

        of_webhooks = databases(1)
        about = machine.description(folder, [database.about for database in of_webhooks])
        requests, ends, judged, load = [], [], [], []
        if given.only in {None, "webhooks"}:
            requests = await webhooks.measure(of_webhooks, folder, rounds=given.rounds, seconds=given.seconds)
        if given.only in {None, "turns"}:
            ends = await turns.measure(databases(len(KINDS)), folder, rounds=given.rounds)
        if given.only in {None, "judging"}:
            judged = judging.measure(databases(1), rounds=given.rounds)
        if given.only in {None, "load"}:
            chosen = [crowds.CROWDS[int(n)] for n in given.crowds.split(",") if n] or crowds.CROWDS
            load = await crowds.measure(lambda: databases(1), folder, chosen, rounds=given.load_rounds)
        of_costs = costs.measure(databases(1)) if given.only in {None, "costs"} else []
        return page.as_text(about, requests, ends, judged, load, counted, of_costs)


if __name__ == "__main__":
    main()
