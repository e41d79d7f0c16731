"""Words that no text may ask people to reply: Twilio and the law take them for something else (compliance.md §6).

"Reply C to confirm or CANCEL" unsubscribes the patients who cancel: Twilio blocks them before we hear of it.
"""

import re

# What to ask for instead.
INSTEAD = {
    "cancel": "CHANGE or C",
    "end": "DONE",
    "quit": "DONE",
    "revoke": "CHANGE",
    "unsubscribe": "CHANGE",
    "stop": "DONE",
    "yes": "CONFIRM or 1",
    "start": "BEGIN or 1",
    "unstop": "BEGIN",
    "help": "MORE",
    "info": "MORE",
    "cancelar": "CAMBIAR",
    "si": "CONFIRMAR or 1",
    "oui": "CONFIRMER or 1",
    "arret": "CHANGER",
}
_WORDS = "|".join(sorted(INSTEAD, key=len, reverse=True))
_QUOTE = "[\"'“”‘’«»*]?"
# Said to be replied: right after the verb, or after an "or" that follows another such word.
ASKED = re.compile(
    r"\b(?:reply|respond|answer|text|send|type|say|write|responda|responde|repondez|envoyez)\b"
    r"(?: (?:with|back|us|by|to this|con|par))*[ :]+"
    rf"(?:{_QUOTE}\w+{_QUOTE}(?: (?:to|for|if) [^.,;]{{1,40}}?)?(?:,| or|,? or| /|/) ?)*?{_QUOTE}(?P<word>{_WORDS}){_QUOTE}"
    r"(?![\w'])(?P<purpose>[^.,;!?\n]{0,30})",
    re.IGNORECASE,
)
# The line of a text that tells how to stop, come back or get help may name its word, for that alone.
OWN_PURPOSE = {
    "stop": r"to (?:opt|end|stop|unsub|cancel (?:texts|messages)|quit|leave|get no)|to end|any time|anytime",
    "unsubscribe": r"to (?:opt|stop|unsub)",
    "start": r"to (?:resub|re-sub|opt|sub|get (?:our|texts)|undo)",
    "unstop": r"to (?:resub|re-sub|opt|sub)",
    "help": r"for (?:help|info|more)|to (?:get|learn)",
    "info": r"for (?:help|info|more)",
    "arret": r"pour",
}


def asked_for(body: str) -> tuple[str, str] | None:
    """The word that a text asks people to reply and must not, and what to ask for instead; none when there is none."""
    for found in ASKED.finditer(body):
        word = found["word"].casefold()
        if not is_shouted(found["word"], body, found.start("word")):
            continue
        allowed = OWN_PURPOSE.get(word)
        if allowed is None or not re.search(allowed, found["purpose"].strip(), re.IGNORECASE):
            return found["word"].upper(), INSTEAD[word]
    return None


def is_shouted(word: str, body: str, at: int) -> bool:
    """Whether it is meant as a word to type: in capitals or quotes. "Text us to cancel" is no such thing."""
    return word.isupper() or body[max(at - 1, 0)] in "\"'“‘«*"


def complaint(body: str) -> str | None:
    """One sentence for who wrote it, a person or a model."""
    if (found := asked_for(body)) is None:
        return None
    word, instead = found
    return (
        f"Do not ask people to reply {word}: phone networks take that word for themselves. Ask for {instead} instead."
    )
