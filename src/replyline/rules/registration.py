"""Is the sender registered where the text goes, and can people there answer STOP? (compliance.md §5.6, countries.csv)"""

from datetime import datetime

from replyline.phone_numbers import SenderKind
from replyline.rules.facts import Facts, Purpose
from replyline.rules.verdict import Refuse, Send, Verdict

VERIFIED = {"US", "CA"}  # where toll-free numbers have to be verified


def registration(facts: Facts, now: datetime) -> Verdict:
    """Refuse what the destination's carriers would block, or would show as coming from somebody else.

    Of a number that the settings alone name nothing is known, so Twilio decides (30032, 30034); what a line declares counts
    as it is declared.
    """
    return sender_name(facts) or american_number(facts) or opting_out(facts) or Send()


def sender_name(facts: Facts) -> Refuse | None:
    """Names: some countries take none, others only those that are in their register."""
    to = facts.book.countries.get(facts.country or "")
    if facts.sender_kind is not SenderKind.ALPHANUMERIC or to is None:
        return None
    if to.alphanumeric == "no":
        return Refuse(why=f"carriers in {to.iso} take no names as senders, only numbers")
    is_kept = to.registration == "required" or to.alphanumeric == "registration_required"
    if is_kept and to.iso not in (facts.registers or ()):
        return Refuse(
            why=f"carriers in {to.iso} take only names that are registered there; once yours is, write "
            f"registered_in=['{to.iso}'] in its Sender"
        )
    return None


def american_number(facts: Facts) -> Refuse | None:
    """US long codes need a 10DLC brand and campaign (error 30034), toll-free numbers a verification (30032)."""
    if facts.registers is None or facts.country in facts.registers:
        return None
    if facts.sender_kind is SenderKind.LONG_CODE and facts.country == "US":
        return Refuse(why="US carriers block long codes without 10DLC; write the sender's registration in the line")
    if facts.sender_kind is SenderKind.TOLL_FREE and facts.country in VERIFIED:
        return Refuse(
            why="carriers block toll-free numbers that are not verified; once this one is, write "
            "registered_in=['US', 'CA'] in its Sender"
        )
    return None


def opting_out(facts: Facts) -> Refuse | None:
    """Advertising that nobody can answer STOP has to name another way out (47 CFR 64.1200(a)(10))."""
    if facts.purpose is Purpose.MARKETING and is_one_way(facts) and not facts.contact:
        return Refuse(
            why="people there cannot answer STOP, so advertising has to say how else to opt out; give the line a contact"
        )
    return None


def is_one_way(facts: Facts) -> bool:
    """Whether people cannot answer: nobody can text a name, and Twilio brings nothing back from some countries."""
    to = facts.book.countries.get(facts.country or "")
    return facts.sender_kind is SenderKind.ALPHANUMERIC or (to is not None and to.two_way == "no")
