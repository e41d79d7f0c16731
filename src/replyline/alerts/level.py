"""How urgent something is."""

from enum import StrEnum


class Level(StrEnum):
    """How urgent something is."""

    OK = "ok"
    LOOK = "look"  # worth knowing; it mends itself, or can wait for the morning
    WRONG = "wrong"  # people get no answers, or wrong ones, until somebody does something

    def is_worse_than(self, other: "Level") -> bool:
        return ORDER.index(self) > ORDER.index(other)


ORDER = [Level.OK, Level.LOOK, Level.WRONG]
