"""How an action may end, other than by returning."""

from replyline.errors import ReplylineError


class Ending(ReplylineError):
    """An end of an action that is not a fault. Its text is for the model to read."""


class AskAgain(Ending):
    """The model may correct itself: say what was wrong and what would do.

    raise AskAgain("We take at most 8 guests; ask for a smaller party.")
    """


class GiveUp(Ending):
    """It cannot be done, and the person should be told so."""


class Pause(Ending):
    """A person of the business has to decide; the turn goes on once they have (`replyline decide`).

    The text is the question they are asked. Until then the contact gets the line's holding text.
    """
