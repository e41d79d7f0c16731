"""Who asks whether a person writes here gets the truth, and not from a model (compliance.md §11)."""

import re

from replyline.rules.keywords import normalised

_WHAT = (
    r"(?:a |an |the |even |really |actually |just |talking to |texting |texting with |chatting with |speaking to |"
    r"speaking with |talking with )*(?:real |actual |live )?"
    r"(?:human|person|human being|people|bot|chat ?bot|robot|ai|a i|machine|computer|chat ?gpt|real|automated|somebody|someone)"
)
QUESTION = re.compile(
    rf"\b(?:are|r) (?:you|u|ya) {_WHAT}\b(?: or (?:not|{_WHAT}))?"
    rf"|\b(?:is|am) (?:this|that|it|there|i) (?:a |an )?{_WHAT}\b(?: or (?:not|{_WHAT}))?"
    r"|\bdo(?:es)? (?:a )?(?:real )?(?:human|person) (?:read|answer|write|reply)s?\b"
)
# What may stand around it in a text that asks nothing else.
AROUND = re.compile(
    r"\b(?:hi|hello|hey|ok|okay|so|wait|um|lol|haha|please|pls|seriously|really|honestly|here|there|tho|though|hm+|"
    r"and|but|just|curious|wondering|quick question|to me|or what|yes or no|btw|omg)\b"
)


def asks(body: str) -> bool:
    """Whether a text has that question in it."""
    return QUESTION.search(normalised(body)) is not None


def asks_only(body: str) -> bool:
    """Whether it has nothing else in it, so that the answer is all there is to say."""
    rest = QUESTION.sub(" ", normalised(body))
    return rest != normalised(body) and not AROUND.sub(" ", rest).split()
