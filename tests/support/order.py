"""In which order the workers of a run get its tests, so that those that mostly wait do so while others compute."""

from collections.abc import Sequence
from itertools import islice

import pytest

WAITING = ("long", "process")  # what is marked so starts processes, kills them, and waits for leases and retries
CROWDS = "chaos"  # the folder of those that keep hundreds in flight, for which two at once have too little CPU


def as_dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests in blocks, one for each worker; those that wait come first in half of the blocks, of them the longest.

    With `--dist worksteal` each worker begins with such a block of consecutive tests, and one that has nothing left takes
    from the end of the longest, where nothing waits. Any other order is right too, and takes longer.
    """
    waiting = [item for item in items if waits(item)]
    waiting.sort(key=lambda item: item.get_closest_marker("long") is None)
    lanes = (workers + 1) // 2
    if len(waiting) > lanes * (len(items) // workers):
        lanes = workers
    shares = in_lanes(waiting, lanes)
    others = iter([item for item in items if not waits(item)])
    dealt: list[pytest.Item] = []
    for worker in range(workers):
        room = (len(items) - len(dealt)) // (workers - worker)
        first = shares[worker] if worker < lanes else []
        dealt += [*first, *islice(others, max(room - len(first), 0))]
    return [*dealt, *others]


def waits(item: pytest.Item) -> bool:
    return any(map(item.get_closest_marker, WAITING))


def in_lanes(waiting: Sequence[pytest.Item], lanes: int) -> list[list[pytest.Item]]:
    """The crowds one after the other, and the rest beside them."""
    crowds = [item for item in waiting if item.path.parent.name == CROWDS]
    rest = [item for item in waiting if item.path.parent.name != CROWDS]
    if lanes == 1:
        return [[*crowds, *rest]]
    return [crowds, *(rest[lane :: lanes - 1] for lane in range(lanes - 1))]
