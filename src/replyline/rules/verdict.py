"""What a rule says about a text that wants to leave. "No" is a value here, not an error."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Send:
    """It may leave now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """It may not leave before `until`, an aware time, and is judged again then. One that is over holds nothing."""

    until: datetime
    why: str  # for the operator: "quiet hours where they are"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuse:
    """It never leaves."""

    why: str  # for the operator: "they have opted out"
    rule: str = ""  # the name of the rule that refused; the judge fills it in when the rule did not


Verdict = Send | Wait | Refuse


def strictest(verdicts: Iterable[Verdict]) -> Verdict:
    """The first refusal; without one the longest wait; otherwise the text may leave."""
    longest: Wait | None = None
    for verdict in verdicts:
        if isinstance(verdict, Refuse):
            return verdict
        if isinstance(verdict, Wait) and (longest is None or verdict.until > longest.until):
            longest = verdict
    return longest or Send()
