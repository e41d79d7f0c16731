"""A PERSON HAS TO KNOW: told when something begins, gets worse or ends, and not all the while it lasts."""

from replyline.alerts.level import Level
from replyline.alerts.raising import end_alert, raise_alert

__all__ = ["Level", "end_alert", "raise_alert"]
