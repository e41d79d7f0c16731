"""Breaks everything at once and counts what people would have noticed. Fails when anything that must be nought is not."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos import page
from tests.chaos.databases import DATABASES
from tests.chaos.plan import Plan
from tests.chaos.run import Outcome, run
from tests.support.launcher import Launcher
from tests.support.postgres_server import NoPostgres

MOST_SHOWN = 20  # cases of what must not happen


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--engine", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--seed", type=int, help="of a run that is to be repeated; default: another one each time")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {page.PAGE.name}")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    outcomes: dict[str, Outcome] = {}
    without: list[str] = []
    for engine in DATABASES if given.engine == "both" else [given.engine]:
        print(f"{page.NAMES[engine]}, seed {seed}", flush=True)
        try:
            outcomes[engine] = on_engine(engine, plan_of(given.conversations, seed), without)
        except NoPostgres as none:
            sys.exit(f"There is no PostgreSQL to break: {none}. Give --engine sqlite to leave it out.")
    text = page.as_text(outcomes, without)
    print(f"\n{text}")
    if given.write:
        page.write(text)
    bad = [f"{page.NAMES[engine]}: {case}" for engine, outcome in outcomes.items() for case in outcome.bad]
    if bad:
        print("", *bad[:MOST_SHOWN], f"{len(bad)} in all. Again: make chaos ARGS='--seed {seed}'", sep="\n")
    sys.exit(bool(bad))


def plan_of(conversations: int, seed: int) -> Plan:
    return Plan(
        seed=seed,
        conversations=conversations,
        kills=min(100, conversations // 20),
        at_once=min(200, conversations),
        gap=400,
        has_faults=True,
        troubles=0.25,
        patience=60,
    )


def on_engine(engine: str, plan: Plan, without: list[str]) -> Outcome:
    """Run it in a folder of its own, which stays when something was found in it."""
    folder = Path(tempfile.mkdtemp(prefix="replyline-chaos-run-"))
    with DATABASES[engine]() as database:
        launcher = Launcher()
        outcome = asyncio.run(run(plan, database, folder, launcher, lambda line: print(line, flush=True)))
        launcher.close()
    if database.without:
        without.append(f"{page.NAMES[engine]}: {database.without}")
    if outcome.bad:
        print(f"The logs of what was killed are in {folder}.")
    else:
        shutil.rmtree(folder)
    return outcome


if __name__ == "__main__":
    main()
