"""A PHONE AND A TWILIO ON YOUR DESK

The simulated Twilio speaks Twilio's REST API and calls your server with signed webhooks, as the real one does:

    twilio = SimulatedTwilio()
    twilio.add_number("+15550001111", sms_url="http://127.0.0.1:8000/webhooks/twilio/sms")
    phone = twilio.phone("+15551230001")
    async with twilio.serving() as url:  # TWILIO_API_URL
        await phone.text("Can I come to yoga tomorrow at 6pm?")
        await phone.wait_for(1)
"""

from replyline.simulator.account import Alert, Direction, Media, Message, MessagingService, NotOurNumber, Number, Status
from replyline.simulator.billing import Tariff
from replyline.simulator.changes import Change, Kind
from replyline.simulator.exchange import INSTANT, DeliveryTimes, ReceivedText
from replyline.simulator.faults import Faults
from replyline.simulator.mishaps import (
    BROKEN,
    BROKEN_AFTER_ACCEPTING,
    DELIVERED,
    DROPPED,
    DROPPED_AFTER_ACCEPTING,
    FILTERED,
    LANDLINE,
    OPTED_OUT,
    SILENT,
    SILENT_AFTER_ACCEPTING,
    STAYS_SENT,
    THROTTLED,
    UNAVAILABLE,
    UNAVAILABLE_AFTER_ACCEPTING,
    UNREACHABLE,
    Ending,
    Fate,
    Fault,
    RestRequest,
    WebhookFault,
    WebhookRequest,
)
from replyline.simulator.new_message import Policy
from replyline.simulator.pacing import Pacing
from replyline.simulator.phone import SimulatedPhone
from replyline.simulator.serve import DroppableProtocol, serve
from replyline.simulator.simulated_twilio import ACCOUNT_SID, AUTH_TOKEN, SimulatedTwilio
from replyline.simulator.trouble import BadTrouble, Standing, Trouble

__all__ = [
    "ACCOUNT_SID",
    "AUTH_TOKEN",
    "BROKEN",
    "BROKEN_AFTER_ACCEPTING",
    "DELIVERED",
    "DROPPED",
    "DROPPED_AFTER_ACCEPTING",
    "FILTERED",
    "INSTANT",
    "LANDLINE",
    "OPTED_OUT",
    "SILENT",
    "SILENT_AFTER_ACCEPTING",
    "STAYS_SENT",
    "THROTTLED",
    "UNAVAILABLE",
    "UNAVAILABLE_AFTER_ACCEPTING",
    "UNREACHABLE",
    "Alert",
    "BadTrouble",
    "Change",
    "DeliveryTimes",
    "Direction",
    "DroppableProtocol",
    "Ending",
    "Fate",
    "Fault",
    "Faults",
    "Kind",
    "Media",
    "Message",
    "MessagingService",
    "NotOurNumber",
    "Number",
    "Pacing",
    "Policy",
    "ReceivedText",
    "RestRequest",
    "SimulatedPhone",
    "SimulatedTwilio",
    "Standing",
    "Status",
    "Tariff",
    "Trouble",
    "WebhookFault",
    "WebhookRequest",
    "serve",
]
