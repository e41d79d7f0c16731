"""May this text leave, now? Pure: the facts are gathered before, and the clock is an argument."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from replyline.rules.facts import Facts, Purpose
from replyline.rules.frequency import frequency_cap
from replyline.rules.quiet_hours import quiet_hours
from replyline.rules.registration import registration
from replyline.rules.tiers import consent
from replyline.rules.verdict import Refuse, Send, Verdict, Wait, strictest

Rule = Callable[[Facts, datetime], Verdict]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The verdict that holds, and what each rule said."""

    verdict: Verdict
    said: tuple[tuple[str, Verdict], ...]


def opted_out(facts: Facts, now: datetime) -> Verdict:
    """STOP is absolute. Only its own confirmation passes, and the answer to HELP, owed whatever the subscription."""
    if facts.has_opted_out and facts.purpose not in {Purpose.OPT_OUT_CONFIRMATION, Purpose.HELP_REPLY}:
        return Refuse(why="they have opted out", rule="opted_out")
    return Send()


def country(facts: Facts, now: datetime) -> Verdict:
    """Only where the line does business: texts to far countries are dear, and what pumping fraud lives on."""
    if facts.country is None:
        return Refuse(why="the country of that number is not known", rule="country")
    if facts.country not in facts.allowed_countries:
        return Refuse(why=f"the line does not text to {facts.country}", rule="country")
    return Send()


CORE_RULES: tuple[Rule, ...] = (opted_out, consent, country, registration, frequency_cap, quiet_hours)


def judge(facts: Facts, now: datetime, rules: Sequence[Rule] = CORE_RULES) -> Decision:
    """Ask every rule; the strictest verdict holds.

    The core rules are asked whether `rules` has them or not, so nobody's list makes a verdict milder.
    """
    others = [rule for rule in rules if rule not in CORE_RULES]
    said = tuple((name_of(rule), ask(rule, facts, now)) for rule in (*CORE_RULES, *others))
    return Decision(verdict=strictest(verdict for _, verdict in said), said=said)


def ask(rule: Rule, facts: Facts, now: datetime) -> Verdict:
    """One rule's verdict. A rule that breaks refuses: when unsure, do not send."""
    name = name_of(rule)
    try:
        verdict: object = rule(facts, now)
    except BaseException as error:  # a rule that exits must not take the process with it
        return Refuse(why=f"the rule {name} failed: {type(error).__name__}", rule=name)
    match verdict:
        case Refuse(rule=""):
            return Refuse(why=verdict.why, rule=name)
        case Wait() if getattr(verdict.until, "tzinfo", None) is None:
            return Refuse(why=f"the rule {name} gave a time without a time zone", rule=name)
        case Wait() if verdict.until <= now:  # what may not leave before a moment may leave when it has come
            return Send()
        case Send() | Wait() | Refuse():
            return verdict
    return Refuse(why=f"the rule {name} did not return Send, Wait or Refuse", rule=name)


def name_of(rule: Rule) -> str:
    return getattr(rule, "__name__", type(rule).__name__)
