"""Greetings, thanks and questions about ourselves."""

from replyline.llm.scripted.intents import Intent
from replyline.llm.scripted.record import Facts
from replyline.llm.scripted.steps import Say, Step
from replyline.llm.scripted.wording import abilities, greeting, what_we_book


def small_talk(intents: frozenset[Intent], facts: Facts, *, is_waiting: bool = False) -> list[Step]:
    """A friendly sentence, or an honest "I can't help with that". While we wait for an answer, only what matters."""
    for intent, text in phrases(facts).items():
        if intent in intents:
            return [Say(text=text, is_small_talk=intent not in (Intent.PERSON, Intent.WHO))]
    if is_waiting:
        return [Say(text="Sorry, I didn't get that.")]
    return [Say(text=f"Sorry, I can't help with that. I can book, move or cancel {what_we_book(facts)}.")]


def phrases(facts: Facts) -> dict[Intent, str]:
    """The first that fits is said."""
    return {
        Intent.PERSON: "I'm an automated assistant and can't pass you on. Please call us to speak with someone.",
        Intent.WHO: abilities(facts),
        Intent.ABILITIES: abilities(facts),
        Intent.HOW_ARE_YOU: "I'm doing fine, thanks for asking! What can I do for you?",
        Intent.LATE: "Thanks for letting us know!",
        Intent.THANKS: "You're welcome!",
        Intent.BYE: "Bye for now!",
        Intent.SORRY: "No problem at all!",
        Intent.LAUGH: ":) What can I do for you?",
        Intent.HELLO: greeting(facts),
        Intent.YES: "Great!",
        Intent.NO: "OK, no problem.",
    }
