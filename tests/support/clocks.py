"""Machines whose clocks are wrong."""

from datetime import datetime, timedelta

from replyline.clock import SystemClock


class SkewedClock(SystemClock):
    """The clock of a machine that is some seconds ahead, or behind."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._ahead
