"""The shapes other people's Python plugs into. Built-in plugins use these and nothing else."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from replyline.clock import Clock
from replyline.db import Db
from replyline.plugins.context import ContextRequest

if TYPE_CHECKING:
    from replyline.plugins.line import Line

# Adds to what the model is told of the contact: JSON values by name. The model reads them as data, never as orders.
ContextFunction = Callable[[ContextRequest], Awaitable[Mapping[str, Any]] | Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class WebContext:
    """What a plugin's page is handed besides the request."""

    line: "Line"
    db: Db
    clock: Clock
    secret: bytes  # signs links; the same on every process


WebFunction = Callable[[WebContext, Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page or feed of a plugin, served below `/plugins/`."""

    path: str
    answer: WebFunction


class Plugin(Protocol):
    """A bundle of actions, context, rules and pages with, perhaps, tables of its own."""

    name: str
    # A folder of Alembic migrations for the plugin's own tables, run by `replyline migrate`; none if it has no tables.
    migrations: Path | None

    def set_up(self, line: "Line") -> None:
        """Register what the plugin brings, with the line's public decorators."""
