"""A line: one business, with its persona, its actions, its rules and its limits."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, overload
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from replyline.errors import ReplylineError
from replyline.hours import Cap, Hours, cap_in_words, hours_in_words
from replyline.plugins import budgets as budget_rules
from replyline.plugins.actions import Action, ActionFunction, as_action
from replyline.plugins.budgets import Budget, Jumps
from replyline.plugins.hooks import ContextFunction, Page, Plugin, WebFunction
from replyline.plugins.keeps import Keeps
from replyline.plugins.programs import Program, Tier, tier_of
from replyline.plugins.senders import Sender, check_together

F = TypeVar("F", bound=Callable[..., Any])

Emoji = Literal["keep", "strip", "auto"]


class BadLine(ReplylineError):
    """A line cannot be used as it is written, and why."""


@dataclass(kw_only=True)
class Line:
    """One business that answers by text.

    line = Line(name="Acme Fitness", instructions="You book classes...", timezone="America/Los_Angeles")
    """

    name: str
    instructions: str  # the persona and the facts, for the model; trusted
    timezone: str = "UTC"
    key: str = ""  # stands for the line in the database; made from the name, and must not change later

    # Where texts may go, as ISO country codes. Everything else is refused: pumping fraud comes from afar.
    countries: Sequence[str] = ("US", "CA")
    # Languages whose STOP, START and HELP count though no carrier's list has them: "de", "pl". They are translations, so have
    # somebody who speaks the language read keywords.csv first.
    keyword_languages: Sequence[str] = ()
    # Words such as "cancel" that also answer this business's questions, and that you have taken off Advanced Opt-Out's list.
    # They stop all texts first; the answer then says how to keep them (compliance.md §6).
    action_words: Sequence[str] = ()
    # Texts that may ask to stop in words of nobody's list are shown to the model, one by one and alone.
    hears_with_model: bool = True
    help_text: str = ""  # the answer to HELP where Twilio gives none; made from the name when empty
    contact: str = ""  # a phone number or e-mail address people may turn to; part of the answer to HELP

    # The first text to a person, and the first of a day, says who texts, how to stop, and that an AI answers: laws and
    # carriers ask for it (compliance.md §5.1, §11). False only if they were told when they gave their number.
    introduces: bool = True
    max_segments: int = 2  # the longest reply; each segment is paid
    emoji: Emoji = "auto"  # auto: kept unless one emoji would double the price of the text
    fallback_text: str = "Sorry, we can't answer right now. We'll get back to you soon."
    holding_text: str = "One moment please, we're looking into that."
    holding_after: float | None = 20.0  # seconds of work after which the holding text goes out; none: never
    deadline: float = 60.0  # seconds a turn may take before the fallback text goes out
    settle: float = 1.5  # seconds of quiet that end a burst of texts
    settle_at_most: float = 6.0  # seconds a burst may last before it is answered anyway
    history_tokens: int = 2_000  # how much of the conversation the model is shown
    senders: Sequence[Sender] = ()  # what texts leave from; empty: what the settings name
    segments_per_second: float | None = None  # for a sender that says neither a rate nor a registration
    text_hours: str = (
        ""  # when notices and advertising may arrive, where they are: "Mon-Fri 09:00-18:00|Sat 10:00-14:00"
    )
    holds_notices: bool = True  # notices wait for the morning too; false for what people wait for, such as codes
    # Notices wait this many minutes for others to the same person, and leave with them as one text where that saves segments.
    digest_minutes: float = 0.0
    # What people must have agreed to before they are texted unasked: none, express, express_written. Advertising to the
    # US takes express_written whatever is said here (47 CFR 64.1200(f)(9)).
    notices_need: Tier | str = Tier.EXPRESS
    marketing_needs: Tier | str = Tier.EXPRESS_WRITTEN
    double_opt_in: bool = False  # advertising also needs their YES to our own question
    programs: Sequence[Program] = ()  # texts that people sign up for by themselves
    marketing_caps: Sequence[str] = ()  # advertising for one person, at most: "3 per 24h", "4 per 168h"
    follows_adad: bool = False  # keep the states' rules for recorded voices too, as some do for what an AI writes
    late_after: float = 900.0  # seconds; what is found in Twilio's list later than this is kept, and not answered
    turns_per_minute: int = 20  # how many turns one phone may cause; texts beyond are stored and answered later
    budgets: Sequence[Budget] = ()  # what may be spent, in US dollars; nothing leaves past one
    # Replies past the line's budget: "stop", or "send" them all the same. What the law asks for always leaves.
    replies_at_limit: Literal["stop", "send"] = "stop"
    jumps: Jumps | None = None  # stops a sudden jump early; none: only a line with budgets looks for one
    delete_media_at_twilio: bool = False  # what people send is deleted there once we keep it; Twilio keeps it forever
    # Tell Twilio's own list who opted out and who came back, where the account has the Consent API (a pilot, twilio.md §6.4).
    consent_at_twilio: bool = False
    keeps: Keeps = field(default_factory=Keeps)  # for how many days what is kept; by itself everything, for ever
    plugins: Sequence[Plugin] = ()

    actions: dict[str, Action] = field(default_factory=dict, init=False)
    contexts: list[ContextFunction] = field(default_factory=list, init=False)
    rules: list[Callable[..., Any]] = field(default_factory=list, init=False)
    pages: list[Page] = field(default_factory=list, init=False)
    hours: tuple[Hours, ...] = field(default=(), init=False)  # text_hours, read
    caps: tuple[Cap, ...] = field(default=(), init=False)  # marketing_caps, read

    def __post_init__(self) -> None:
        self.key = self.key or re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", self.key):
            raise BadLine(
                f"The line {self.name!r} needs a key of small letters, digits and hyphens, such as key='gym'."
            )
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise BadLine(
                f"{self.timezone!r} is not a time zone of the tz database; write one such as 'America/Chicago'."
            ) from None
        try:
            self.hours = hours_in_words(self.text_hours)
            self.caps = tuple(cap_in_words(each, "the line") for each in self.marketing_caps)
        except ValueError as error:
            raise BadLine(
                f"The line {self.key} has hours or caps that cannot be read ({error}); write text_hours="
                "'Mon-Fri 09:00-18:00|Sat 10:00-14:00' and marketing_caps=['3 per 24h']."
            ) from None
        self._check_consent()
        if not 0 <= self.digest_minutes <= 24 * 60:
            raise BadLine(f"The line {self.key} has digest_minutes={self.digest_minutes:g}; write 0 to 1440.")
        if complaint := self.keeps.complaint():
            raise BadLine(f"The line {self.key} cannot be used: {complaint}")
        check_together(self.senders)
        budget_rules.check_together(self.budgets)
        if self.replies_at_limit not in {"stop", "send"}:
            raise BadLine(f"The line {self.key} needs replies_at_limit='stop' or 'send'.")
        if self.budgets and self.jumps is None:
            self.jumps = Jumps()
        for plugin in self.plugins:
            plugin.set_up(self)

    def _check_consent(self) -> None:
        self.notices_need, self.marketing_needs = tier_of(self.notices_need), tier_of(self.marketing_needs)
        if self.marketing_needs is Tier.NONE or any(each.needs == Tier.NONE for each in self.programs):
            raise BadLine(
                f"The line {self.key} lets advertising go to people who have agreed to nothing; "
                "write marketing_needs='express' at least, and the same in its programs."
            )
        keys = [each.key for each in self.programs]
        if len(set(keys)) < len(keys):
            raise BadLine(f"The line {self.key} has two programs of the same key.")

    def sender(self, address: str, service: str | None = None) -> Sender | None:
        """The sender of that address, or the messaging service it is in; none when the settings alone name it."""
        named = (each for name in (address, service) for each in self.senders if each.address == name)
        return next(named, None)

    def program(self, key: str) -> Program | None:
        """The program of that key, if there is one."""
        return next((each for each in self.programs if each.key == key), None)

    @overload
    def action(self, function: F, /) -> F: ...
    @overload
    def action(self, *, name: str | None = None, time_limit: float = 15.0) -> Callable[[F], F]: ...
    def action(self, function: Any = None, *, name: str | None = None, time_limit: float = 15.0) -> Any:
        """Let the model call this function. Its docstring and types are what the model sees; `ctx` it never sees.

        @line.action
        async def book_class(ctx: ActionContext, when: datetime, kind: str) -> str:
            "Book a class for the person we are texting with."
        """

        def register(function: ActionFunction) -> ActionFunction:
            made = as_action(function, name=name, time_limit=time_limit)
            if made.name in self.actions:
                raise BadLine(f"The line {self.key} has two actions named {made.name}; rename one of them.")
            self.actions[made.name] = made
            return function

        return register if function is None else register(function)

    def context(self, function: F) -> F:
        """Add what this function returns to the contact's record, which the model is shown in every turn.

        @line.context
        async def membership(request: ContextRequest) -> dict:
            return {"member_since": "2021"}
        """
        self.contexts.append(function)
        return function

    def rule(self, function: F) -> F:
        """Judge every text before it leaves: a function of (facts, now) that returns Send, Wait or Refuse.

        The strictest verdict wins, so a rule can hold or refuse a text and never let one through.
        """
        self.rules.append(function)
        return function

    def page(self, path: str) -> Callable[[WebFunction], WebFunction]:
        """Serve a page below `/plugins`, such as a calendar feed."""

        def register(function: WebFunction) -> WebFunction:
            self.pages.append(Page(path=path, answer=function))
            return function

        return register
