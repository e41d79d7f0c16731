"""docs/performance.md: the part between its two markers is the last run's."""

from collections.abc import Sequence
from statistics import median

from bench import costs, crowds, judging, segments, turns, webhooks
from bench.models import KINDS
from bench.process import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- written by python -m bench --write -->", "<!-- end -->"
OF_BARE, OF_VERIFY, CPU_MS = 0.30, 0.65, 8.0
PER_SECOND, OF_SQLITE = 150, 0.5
WEBHOOK_P99_MS = 250
JUDGE_US, LIST_SECONDS = 300, 3
WITHIN, PEAK_MIB = {2000: 15, 5000: 40}, {2000: 400}


def as_text(
    machine: Sequence[str],
    requests: Sequence[webhooks.Measured],
    ends: Sequence[turns.Measured],
    judged: Sequence[judging.Measured],
    load: Sequence[crowds.Measured],
    counted: Sequence[segments.Measured] = (),
    of_costs: Sequence[costs.Measured] = (),
) -> str:
    """What is printed, and written into the page."""
    tables = [webhooks.table(requests)] if requests else []
    tables += [turns.table(ends)] if ends else []
    tables += [judging.table(judged)] if judged else []
    tables += [crowds.table(load)] if load else []
    tables += [segments.table(counted)] if counted else []
    tables += [costs.table(of_costs)] if of_costs else []
    aims = [*webhook_aims(requests), *turn_aims(ends), *judging_aims(judged), *load_aims(load)]
    aims += [*segment_aims(counted), *costs.aims(of_costs)]
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
    return [*cpu_aims(ends), *rate_aims(ends)]


def cpu_aims(ends: Sequence[turns.Measured]) -> list[str]:
    return [
        f"a turn on {each.database.name} with {KINDS[each.model]}: {median(each.cpu_ms):.1f} ms of CPU, "
        f"aim at most {CPU_MS:.0f}: {met(median(each.cpu_ms) <= CPU_MS)}"
        for each in ends
    ]


def rate_aims(ends: Sequence[turns.Measured]) -> list[str]:
    """Those with an instant model: over HTTP the endpoint's speed counts as well."""
    rates = {(each.model, each.database.name): median(each.per_second) for each in ends if each.model != "wire"}
    aims = []
    for (model, engine), rate in rates.items():
        who = f"turns on {engine} with {KINDS[model]}"
        aims.append(f"{who}: {rate:.0f} a second, aim at least {PER_SECOND}: {met(rate >= PER_SECOND)}")
        if engine == "PostgreSQL":
            ratio = rate / rates[model, "SQLite"]
            aims.append(f"{who}: {ratio:.2f} of SQLite, aim at least {OF_SQLITE:.2f}: {met(ratio >= OF_SQLITE)}")
    return aims


def judging_aims(judged: Sequence[judging.Measured]) -> list[str]:
    """The first row is the bare reference."""
    aims = []
    for each in judged[1:]:
        if each.is_list:
            took = median(each.seconds)
            aims.append(f"{each.name}: {took:.2f} s, aim at most {LIST_SECONDS}: {met(took <= LIST_SECONDS)}")
        else:
            aims.append(f"{each.name}: {each.cpu_us:.0f} µs, aim at most {JUDGE_US}: {met(each.cpu_us <= JUDGE_US)}")
    return aims


def load_aims(load: Sequence[crowds.Measured]) -> list[str]:
    """Judged as Twilio pushes: with all in one second, a burst is as fast as texts can be stored."""
    aims = []
    for each in load:
        crowd, p99 = each.crowd, each.webhook_ms(99)
        if crowd.arrival == crowds.SAME_SECOND:
            continue
        who = f"{crowd.texts:,} texts, {crowds.MODELS[crowd.model]}, {each.engine}"
        if within := WITHIN.get(crowd.texts):
            aims.append(f"{who}: {each.seconds:.1f} s, aim at most {within}: {met(each.seconds <= within)}")
        if most := PEAK_MIB.get(crowd.texts):
            aims.append(f"{who}: {each.peak_mib:.0f} MiB, aim at most {most}: {met(each.peak_mib <= most)}")
        aims.append(f"{who}: webhook p99 {p99:.0f} ms, aim under {WEBHOOK_P99_MS}: {met(p99 < WEBHOOK_P99_MS)}")
    return aims


def segment_aims(counted: Sequence[segments.Measured]) -> list[str]:
    """The fastest that is right about every GSM-7 text is the one to beat; none but ours is right about all of UCS-2."""
    if not counted:
        return []
    ours, *others = counted
    plain = next(iter(segments.KINDS))
    rate, least = ours.per_second[plain], segments.FASTER
    aims = [f"segments of {plain}: {rate:,.0f} texts/s, aim at least {least:,}: {met(rate >= least)}"]
    right = [each for each in others if each.right[0] == each.asked[0]]
    for kind, own in ours.per_second.items():
        if right:
            best = max(right, key=lambda each: each.per_second[kind])
            ratio = own / best.per_second[kind]
            aims.append(f"segments of {kind}: {ratio:.1f} of {best.name}, aim at least 1: {met(ratio >= 1)}")
    wrong = sum(ours.asked) - sum(ours.right)
    aims.append(
        f"segments counted otherwise than by Twilio's calculator: {wrong} of {sum(ours.asked):,}, aim 0: {met(wrong == 0)}"
    )
    return aims


def met(is_met: bool) -> str:
    return "met" if is_met else "**missed**"


def write(text: str) -> None:
    """Put the last run between the markers."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
