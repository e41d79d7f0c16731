"""The texts about signing up: the question, and the welcome that carriers ask for (compliance.md §5.2)."""

from replyline.plugins.line import Line
from replyline.plugins.programs import Program
from replyline.rules.opt_in_words import JOIN

OFFERS = Program("offers", title="our news and offers")  # what a line without programs sends unasked
NOTICES = Program("notices", title="our notices")
RATES = "Msg & data rates may apply. HELP for help, STOP to opt out."


def question(line: Line, program: str, *, is_marketing: bool) -> str:
    about = program_of(line, program, is_marketing=is_marketing)
    return f"{line.name}: reply {JOIN} to get {about.called} by text. {about.frequency}. {RATES}"


def welcome(line: Line, program: str, *, is_marketing: bool) -> str:
    about = program_of(line, program, is_marketing=is_marketing)
    return f"{line.name}: you're in for {about.called}. {about.frequency}. {RATES}"


def program_of(line: Line, program: str, *, is_marketing: bool) -> Program:
    return line.program(program) or (OFFERS if is_marketing else NOTICES)
