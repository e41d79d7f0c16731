"""Ids that sort by the time they were made."""

import os
import time


def new_id(prefix: str) -> str:
    """A new id such as `txt_019a3b7c2f10a1b2c3d4e5`: 48 bits of milliseconds, then 40 random bits.

    Sorting by time keeps the newest rows together in the index, and the prefix says in a log what it names.
    """
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{os.urandom(5).hex()}"
