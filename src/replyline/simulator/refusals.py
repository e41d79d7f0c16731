"""Twilio's error answers: their HTTP status, and a sentence in Twilio's manner."""


class Refusal(Exception):
    """Twilio says no to a REST request."""

    def __init__(self, code: int, **about: object) -> None:
        self.code = code
        self.status, sentence = REFUSALS[code]
        super().__init__(sentence.format(**about))


REFUSALS: dict[int, tuple[int, str]] = {
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20007: (400, "Page size must not be greater than 1000"),
    20008: (403, "Resource not accessible with Test Account Credentials"),
    20009: (409, "Resource not complete"),
    20404: (404, "The requested resource {path} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service Unavailable"),
    21211: (400, "Invalid 'To' Phone Number: {to}"),
    21212: (400, "Invalid From Number (caller ID): {sender}"),
    21265: (400, "'To' number cannot be a Short Code: {to}"),
    21266: (400, "'To' and 'From' number cannot be the same: {to}"),
    21406: (400, "SmsFallbackUrl needs an SmsUrl"),
    21408: (400, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (
        400,
        "The 'From' phone number provided ({sender}) is not a valid message-capable Twilio phone number for this "
        "destination",
    ),
    21608: (400, "The number {to} is unverified. Trial accounts cannot send messages to unverified numbers"),
    21609: (400, "The 'StatusCallback' URL {url} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "The 'To' phone number {to} is not currently reachable using the 'From' phone number {sender}"),
    21614: (400, "'To' number is not a valid mobile number: {to}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21620: (400, "Invalid media URL(s)"),
    21621: (400, "The 'From' number {sender} has not been enabled for MMS"),
    21623: (400, "Number of media files exceeds allowed limit"),
    21624: (400, "The ValidityPeriod must be between 1 and 36000 seconds"),
    21655: (400, "The ContentSid is invalid: the simulated Twilio has no content templates"),
    21701: (400, "The Messaging Service does not exist"),
    21704: (400, "The Messaging Service contains no phone numbers"),
    21705: (400, "The Messaging Service Sid is invalid"),
    21711: (400, "The 'From' number {sender} is not in the Messaging Service"),
    30400: (400, "Parameters not valid: {why}"),
    30409: (409, "This message cannot be canceled"),
    35111: (400, "SendAt is required with ScheduleType 'fixed'"),
    35114: (400, "SendAt must be between 300 seconds and 35 days in the future"),
    35118: (400, "A MessagingServiceSid is required to schedule a message"),
}
