"""What is known when a look asks whether all is well."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

LONG_DUE = timedelta(minutes=2)  # a turn that nobody took for so long: no worker runs, or there are too few


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """Work of one kind that is due and that nobody does."""

    kind: str
    count: int
    wait: timedelta  # of the oldest

    @property
    def is_long(self) -> bool:
        # Texts may wait for hours for their sender's rate; that is what a campaign does.
        return self.wait > LONG_DUE and self.kind != "send"


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """A budget of which a threshold was reached in the period that it is now."""

    scope: str  # line, model or campaign:KEY
    period: str  # 2026-03-02, 2026-03, or all
    percent: int  # the highest threshold: 50, 80 or 100
    micros: int  # spent, and on the wire


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Counts and ages. Nothing here is of one person."""

    # Our texts that ended within an hour, by how.
    delivered: int = 0
    undelivered: int = 0
    failed: int = 0
    # Error codes: of texts that ended within an hour, and of texts that wait for somebody to mend something.
    errors: Mapping[int, int] = field(default_factory=dict)
    held: Mapping[int, int] = field(default_factory=dict)
    opted_out_before: float = 0.0  # 21610 in an hour, on average over the day before this one
    # Webhooks: what went wrong within ten minutes, and what came or was missed within an hour.
    texts_not_stored: int = 0
    reports_not_stored: int = 0
    wrongly_signed: int = 0
    callbacks: int = 0  # delivery reports that came by themselves
    ends_found: int = 0  # ends of texts that no callback told, found in Twilio's list
    texts_found: int = 0  # what came in and no webhook brought
    # Texts in doubt.
    unknown: int = 0
    unknown_before: int = 0  # ten minutes ago
    oldest_unknown: timedelta = timedelta(0)
    given_up: int = 0  # within an hour
    # Turns that ended with the fallback text within half an hour, by outcome; and those that are tried again.
    turns_failed: Mapping[str, int] = field(default_factory=dict)
    turns_tried_again: int = 0
    due: tuple[Due, ...] = ()
    budgets: tuple[Used, ...] = ()
    twilio_unread: timedelta = timedelta(0)  # since its list was last read to the end
    twilio_tries: int = 0  # that failed since
