"""In which order the workers of a run get its tests, so that those that mostly wait do so while others compute."""

from collections.abc import Sequence
from itertools import islice

import pytest

WAITING = ("long", "process")  # what is marked so starts processes, kills them, and waits for leases and retries


def as_dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The tests in blocks, one for each worker; those that wait come first in half of the blocks, of them the longest.

    With `--dist worksteal` each worker begins with such a block of consecutive tests, and one that has nothing left takes
    from the end of the longest, where nothing waits. Any other order is right too, and takes longer.
    """
    waiting = [item for item in items if any(map(item.get_closest_marker, WAITING))]
    waiting.sort(key=lambda item: item.get_closest_marker("long") is None)
    others = iter([item for item in items if not any(map(item.get_closest_marker, WAITING))])
    beside = (workers + 1) // 2
    if len(waiting) > beside * (len(items) // workers):
        beside = workers
    dealt: list[pytest.Item] = []
    for worker in range(workers):
        share = (len(items) - len(dealt)) // (workers - worker)
        block = waiting[worker::beside] if worker < beside else []
        dealt += [*block, *islice(others, max(share - len(block), 0))]
    return [*dealt, *others]
