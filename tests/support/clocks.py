"""Machines whose clocks say something else."""

from datetime import datetime, timedelta

from replyline.clock import SystemClock


class SkewedClock(SystemClock):
    """The clock of a machine that is some seconds ahead, or behind."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._ahead


class RunningClock(SkewedClock):
    """A clock that is put to some moment and runs on from there."""

    def __init__(self, at: datetime) -> None:
        super().__init__((at - SystemClock().now()).total_seconds())
