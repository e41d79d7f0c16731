"""What is printed, and written into docs/reliability.md between its two markers."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.run import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- written by make chaos ARGS=--write -->", "<!-- end -->"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def as_text(outcomes: dict[str, Outcome], without: Sequence[str]) -> str:
    """One table of what must be nought, and one of what happened, with a column for each engine."""
    first = next(iter(outcomes.values()))
    head = [f"| | {' | '.join(NAMES[engine] for engine in outcomes)} |", f"|---|{'---:|' * len(outcomes)}"]
    must = [
        row(found.what, [len(outcome.found[n].cases) for outcome in outcomes.values()])
        for n, found in enumerate(first.found)
    ]
    names = list(dict.fromkeys(name for outcome in outcomes.values() for name in outcome.numbers))
    was = [row(name, [outcome.numbers.get(name, "-") for outcome in outcomes.values()]) for name in names]
    took = row("seconds", [round(outcome.seconds) for outcome in outcomes.values()])
    about = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, seed {first.plan.seed}"
    notes = "".join(f"\n\nLeft out: {each}." for each in without)
    return (
        "\n".join([f"{about}. What must not happen:", "", *head, *must, "", "What happened:", "", *head, *was, took])
        + notes
    )


def row(name: str, values: Sequence[object]) -> str:
    return f"| {name} | {' | '.join(f'{value:,}' if isinstance(value, int) else str(value) for value in values)} |"


def write(text: str) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
