"""How an engine turns waiting units into transactions."""

from collections.abc import Callable, Sequence

from replyline.db.units import Unit

Woken = Callable[[frozenset[str]], None]


class Transactor:
    """How an engine runs units: several in one transaction, or each in its own."""

    threads = 1  # how many database threads may call `transact` at once
    shares = 1  # units share a transaction until they have so many items

    def transact(self, units: Sequence[Unit]) -> frozenset[str]:
        """Run the units, leave each its result or error, and say which topics to wake. Never raises."""
        raise NotImplementedError

    def listen(self, woken: Woken, missed: Callable[[], None]) -> None:
        """Pass on what other processes wake, where the engine can, and say when some of it may have been missed."""

    def close(self) -> None:
        """Let go of this engine's connections."""
        raise NotImplementedError
