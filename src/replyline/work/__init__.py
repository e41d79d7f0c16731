"""What must happen later, and survives a crash."""

from replyline.work.queue import Arm, Claimed, LostLease, arm, arm_many, claim, finish, hand_back, later, renew
from replyline.work.worker import Worker

__all__ = [
    "Arm",
    "Claimed",
    "LostLease",
    "Worker",
    "arm",
    "arm_many",
    "claim",
    "finish",
    "hand_back",
    "later",
    "renew",
]
