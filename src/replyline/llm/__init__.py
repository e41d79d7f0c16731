"""The only code that knows model providers.

`ask` is the door: a prompt goes in, an `Answer` comes out. What answers is built by `llm.models.build_model`
or, without a key, by `llm.scripted.scripted_model`. Nothing here loads a provider's library until one is built.
"""

from replyline.llm.ask import Model, ask
from replyline.llm.errors import BadModel, ModelError, ModelFiltered, ModelRefused, ModelUnavailable
from replyline.llm.prompt import (
    Answer,
    Answered,
    Check,
    Finish,
    Picture,
    Prompt,
    PromptPart,
    Record,
    Result,
    Said,
    Texts,
    Tool,
    ToolCall,
    Usage,
)

__all__ = [
    "Answer",
    "Answered",
    "BadModel",
    "Check",
    "Finish",
    "Model",
    "ModelError",
    "ModelFiltered",
    "ModelRefused",
    "ModelUnavailable",
    "Picture",
    "Prompt",
    "PromptPart",
    "Record",
    "Result",
    "Said",
    "Texts",
    "Tool",
    "ToolCall",
    "Usage",
    "ask",
]
