"""What people have to agree to before they are texted unasked, as a line's author declares it."""

import re
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum

from replyline.errors import ReplylineError

KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class BadProgram(ReplylineError):
    """A program cannot be used as it is written, and why."""


class Tier(StrEnum):
    """How firmly a person has agreed, the weakest first."""

    NONE = "none"
    EXPRESS = "express"  # they gave their number for it
    EXPRESS_WRITTEN = (
        "express_written"  # signed, an electronic form will do, after the disclosure (47 CFR 64.1200(f)(9))
    )

    def covers(self, needed: "Tier") -> bool:
        order = list(Tier)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What it takes to text somebody unasked."""

    tier: Tier = Tier.NONE
    double_opt_in: bool = False  # they answered YES to our own question too


@dataclass(frozen=True, slots=True)
class Program:
    """Texts that people sign up for by themselves, such as offers or class reminders.

    Program("offers", double_opt_in=True)
    """

    key: str
    _: KW_ONLY
    needs: Tier | str | None = None  # none: what the line's notices or advertising need
    double_opt_in: bool = False
    title: str = ""  # what people call it, in "to get class reminders by text"; made from the key when empty
    frequency: str = "Msg frequency varies"  # how often, as carriers want it said

    @property
    def called(self) -> str:
        return self.title or self.key.replace("-", " ")

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise BadProgram(
                f"The program {self.key!r} needs a key of small letters, digits and hyphens, as in 'offers'."
            )
        if self.needs is not None:
            tier_of(self.needs)


def tier_of(written: Tier | str) -> Tier:
    try:
        return Tier(written)
    except ValueError:
        raise BadProgram(f"{written!r} is no tier of consent; write {', '.join(Tier)}.") from None
