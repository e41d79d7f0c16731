"""Have they agreed to be texted unasked? What an answer, a notice and advertising need (compliance.md §2.1)."""

from datetime import datetime

from replyline.plugins.programs import Tier
from replyline.rules.facts import Consent, Facts, Purpose
from replyline.rules.verdict import Refuse, Send, Verdict

UNASKED = {Purpose.TRANSACTIONAL, Purpose.MARKETING, Purpose.OPT_IN}


def consent(facts: Facts, now: datetime) -> Verdict:
    """Refuse a text that nobody asked for to a person who has not agreed to it firmly enough."""
    if facts.purpose not in UNASKED:
        return Send()
    tier = max(facts.need.tier, floor_of(facts), key=list(Tier).index)
    if tier is Tier.NONE:
        return Send()
    firm = [each for each in facts.consents if is_for(each, facts) and each.tier.covers(tier)]
    in_force = [each for each in firm if each.expires_at is None or each.expires_at > now]
    kind = f"{facts.purpose} texts" + (f" of the program {facts.program}" if facts.program else "")
    if not in_force:
        ended = " any more: what they agreed to has expired" if firm else f": it takes {tier.replace('_', ' ')} consent"
        return Refuse(why=f"they have not agreed to {kind}{ended}")
    if facts.need.double_opt_in and not any(each.is_confirmed for each in in_force):
        return Refuse(why=f"they have not answered the question whether they want {kind}")
    return Send()


def is_for(consent: Consent, facts: Facts) -> bool:
    """Whether a consent is to texts like this. Who wants a business's advertising wants its notices too, not the reverse."""
    if consent.program != facts.program:
        return False
    return consent.purpose is Purpose.MARKETING or facts.purpose in {consent.purpose, Purpose.OPT_IN}


def floor_of(facts: Facts) -> Tier:
    """What no line can go below: advertising to the US takes written consent (47 CFR 64.1200(f)(9))."""
    if facts.purpose is not Purpose.MARKETING:
        return Tier.NONE
    return Tier.EXPRESS_WRITTEN if facts.place.states or facts.country == "US" else Tier.EXPRESS
