"""The root of everything that can go wrong here."""

import inspect


class ReplylineError(Exception):
    """Something Replyline cannot do.

    Its text is one sentence that the operator may read; without one, the first sentence of the docstring is the text.
    Subclasses are named for what happened.
    """

    try_again: bool = False  # whether the same attempt, made later, may work

    def __str__(self) -> str:
        return super().__str__() or (inspect.getdoc(type(self)) or type(self).__name__).partition("\n")[0]
