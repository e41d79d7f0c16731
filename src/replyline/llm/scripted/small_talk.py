"""Greetings, thanks and questions about ourselves."""

from replyline.llm.scripted.intents import Intent
from replyline.llm.scripted.record import Facts
from replyline.llm.scripted.steps import Say, Step
from replyline.llm.scripted.wording import abilities, greeting, what_we_book


def small_talk(intents: frozenset[Intent], facts: Facts, is_waiting: bool) -> list[Step]:
    """A friendly sentence, or an honest "I didn't get that"."""
    for intent, text in phrases(facts).items():
        if intent in intents:
            return [Say(text=text, is_small_talk=intent is not Intent.PERSON)]
    if is_waiting:
        return [Say(text="Sorry, I didn't get that. Which day and time would suit you?")]
    return [Say(text=f"Sorry, I can't help with that. I can book, move or cancel {what_we_book(facts)}.")]


def phrases(facts: Facts) -> dict[Intent, str]:
    """The first that fits is said."""
    return {
        Intent.PERSON: "I'm an automated assistant and can't pass you on. Please call us to speak with someone.",
        Intent.WHO: abilities(facts),
        Intent.ABILITIES: abilities(facts),
        Intent.HOW_ARE_YOU: "I'm doing fine, thanks for asking! What can I do for you?",
        Intent.THANKS: "You're welcome!",
        Intent.BYE: "Bye for now!",
        Intent.SORRY: "No problem at all!",
        Intent.LAUGH: ":) What can I do for you?",
        Intent.HELLO: greeting(facts),
        Intent.YES: "Great!",
        Intent.NO: "OK, no problem.",
    }
