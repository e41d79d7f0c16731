"""What must happen later, and survives a crash."""

from replyline.work.queue import (
    LEASE,
    PRIORITIES,
    Arm,
    Claimed,
    LostLease,
    arm,
    arm_many,
    claim,
    finish,
    finish_many,
    hand_back,
    held,
    later,
    next_due,
    renew,
    take_back,
)
from replyline.work.worker import Do, Pool, Worker

__all__ = [
    "LEASE",
    "PRIORITIES",
    "Arm",
    "Claimed",
    "Do",
    "LostLease",
    "Pool",
    "Worker",
    "arm",
    "arm_many",
    "claim",
    "finish",
    "finish_many",
    "hand_back",
    "held",
    "later",
    "next_due",
    "renew",
    "take_back",
]
