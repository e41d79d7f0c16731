"""Answers a business's phone number by text message.

What the author of a line imports is here; everything else is found by walking the road of a text:
`inbound` (a text arrives), `turns` (what to say is decided), `rules` (may it leave, now?), `outbound` (a text leaves).
"""

from replyline.plugins.appointments import Appointments, Service
from replyline.plugins.budgets import Budget, Jumps
from replyline.plugins.context import ActionContext, Contact, ContextRequest
from replyline.plugins.endings import AskAgain, GiveUp, Pause
from replyline.plugins.hooks import Plugin, WebContext
from replyline.plugins.keeps import Keeps
from replyline.plugins.line import Line
from replyline.plugins.senders import Registration, Sender
from replyline.rules.facts import Facts, Purpose
from replyline.rules.verdict import Refuse, Send, Wait

__all__ = [
    "ActionContext",
    "Appointments",
    "AskAgain",
    "Budget",
    "Contact",
    "ContextRequest",
    "Facts",
    "GiveUp",
    "Jumps",
    "Keeps",
    "Line",
    "Pause",
    "Plugin",
    "Purpose",
    "Refuse",
    "Registration",
    "Send",
    "Sender",
    "Service",
    "Wait",
    "WebContext",
]
