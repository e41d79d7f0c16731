"""docs/performance.md: the part between its two markers is the last run's."""

from collections.abc import Sequence
from statistics import median

from bench import turns, webhooks
from bench.models import KINDS
from bench.process import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- written by python -m bench --write -->", "<!-- end -->"
OF_BARE, OF_VERIFY, CPU_MS = 0.30, 0.65, 8.0


def as_text(machine: Sequence[str], requests: Sequence[webhooks.Measured], ends: Sequence[turns.Measured]) -> str:
    """What is printed, and written into the page."""
    tables = [webhooks.table(requests)] if requests else []
    tables += [turns.table(ends)] if ends else []
    aims = [*webhook_aims(requests), *turn_aims(ends)]
    return "\n\n".join(["\n".join(f"* {line}" for line in machine), *tables, "\n".join(f"* {aim}" for aim in aims)])


def webhook_aims(requests: Sequence[webhooks.Measured]) -> list[str]:
    if not requests:
        return []
    bare, verify, *durable = requests
    return [
        f"{each.name}: {each.per_second / to.per_second:.2f} of {of}, aim at least {aim:.2f}: "
        + met(each.per_second / to.per_second >= aim)
        for each in durable
        for to, of, aim in [(bare, "the bare responder", OF_BARE), (verify, "verify-only", OF_VERIFY)]
    ]


def turn_aims(ends: Sequence[turns.Measured]) -> list[str]:
    return [
        f"a turn on {each.database.name} with {KINDS[each.model]}: {median(each.cpu_ms):.1f} ms of CPU, "
        f"aim at most {CPU_MS:.0f}: {met(median(each.cpu_ms) <= CPU_MS)}"
        for each in ends
    ]


def met(is_met: bool) -> str:
    return "met" if is_met else "**missed**"


def write(text: str) -> None:
    """Put the last run between the markers."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
