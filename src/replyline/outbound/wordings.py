"""The texts that are ours to word: about opting in and out, and HELP (compliance.md §2.2, §5.2, §5.3)."""

from replyline.plugins.line import Line
from replyline.plugins.programs import Program
from replyline.rules.opt_in_words import JOIN

OFFERS = Program("offers", title="our news and offers")  # what a line without programs sends unasked
NOTICES = Program("notices", title="our notices")
TEXTS_OK = "TEXTS OK"
RATES = "Msg & data rates may apply. HELP for help, STOP to opt out."


def question(line: Line, program: str, *, is_marketing: bool) -> str:
    about = program_of(line, program, is_marketing=is_marketing)
    return f"{line.name}: reply {JOIN} to get {about.called} by text. {about.frequency}. {RATES}"


def welcome(line: Line, program: str, *, is_marketing: bool) -> str:
    about = program_of(line, program, is_marketing=is_marketing)
    return f"{line.name}: you're in for {about.called}. {about.frequency}. {RATES}"


def unsubscribed(line: Line) -> str:
    """The one text that may follow a STOP: no advertising, nothing else (47 CFR 64.1200(a)(12))."""
    return f"{line.name}: you are unsubscribed and will get no more texts. Reply START to resubscribe."


def clarification(line: Line) -> str:
    """What may follow a STOP by a word that also answers a question; no answer to it leaves all stopped (§2.2, §6)."""
    return f"You get no more texts from {line.name}. Reply {TEXTS_OK} to keep getting them."


def resubscribed(line: Line) -> str:
    return f"{line.name}: you will get our texts again. Reply HELP for help, STOP to end."


def help_of(line: Line) -> str:
    contact = f" Contact {line.contact}." if line.contact else ""
    return line.help_text or f"{line.name}.{contact} Msg & data rates may apply. Reply STOP to opt out."


def program_of(line: Line, program: str, *, is_marketing: bool) -> Program:
    return line.program(program) or (OFFERS if is_marketing else NOTICES)
