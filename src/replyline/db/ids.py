"""Ids that sort by the time they were made."""

import os
import threading
import time
from datetime import datetime

RANDOM_BYTES = 5
STEP_BYTES = 3  # within a millisecond: 130,000 ids fit into one, and none can be guessed from another

_one_at_a_time = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """A new id such as `txt_019a3b7c2f10a1b2c3d4e5`: 48 bits of milliseconds, then 40 random bits.

    Sorting by time keeps the newest rows together in the index, and the prefix says in a log what it names. Ids of one
    process sort as they were made, within a millisecond too: two texts of a burst may have nothing else to go by.
    """
    global _last
    number = time.time_ns() // 1_000_000 << 8 * RANDOM_BYTES | int.from_bytes(os.urandom(RANDOM_BYTES))
    with _one_at_a_time:
        if number <= _last or number >> 8 * RANDOM_BYTES == _last >> 8 * RANDOM_BYTES:
            number = _last + 1 + int.from_bytes(os.urandom(STEP_BYTES))
        _last = number
    return f"{prefix}_{number:022x}"


def first_id(prefix: str, at: datetime) -> str:
    """What ids sort behind that are made from then on, by the machine's clock."""
    return f"{prefix}_{int(at.timestamp() * 1000) << 8 * RANDOM_BYTES:022x}"
