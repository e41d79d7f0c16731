"""What can go wrong with a model. Each carries one sentence for the operator, never a body or a key."""

from replyline.errors import ReplylineError


class BadModel(ReplylineError):
    """The model that was asked for cannot be set up, and what to change."""


class ModelError(ReplylineError):
    """The model gave no answer."""


class ModelUnavailable(ModelError):
    """It may answer later: too many requests, an outage, a time-out, a broken answer."""

    try_again = True


class ModelRefused(ModelError):
    """It will not answer until someone changes something: a wrong key, an unknown model, an empty account."""


class ModelFiltered(ModelError):
    """The provider's filter stopped the request. Sending the same words again would not help."""
