"""Answers when there is no key: by rules, in plain English, with real actions. Not an LLM, and it says so."""

from replyline.llm.scripted.model import NOT_AN_LLM, ScriptedModel, scripted_model

__all__ = ["NOT_AN_LLM", "ScriptedModel", "scripted_model"]
