"""`replyline why` and `replyline gate check`: what the gate said, and what it would say."""

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click

from replyline.commands.consent import LINE
from replyline.commands.opened import opened
from replyline.errors import ReplylineError

EXIT = {"send": 0, "refuse": 1, "wait": 2}


class NoSuchText(ReplylineError):
    """There is no text of that id."""


@click.command()
@click.argument("text_id")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def why(text_id: str, as_json: bool) -> None:
    """Say why a text left, waits or was refused: every rule, on what facts, of which version."""
    from replyline.db import open_db
    from replyline.people.export import plain
    from replyline.rules.decisions import decisions_of
    from replyline.rules.explain import in_words
    from replyline.settings import read_settings

    db = open_db(read_settings().database_url)
    try:
        text, found = db.run_blocking(decisions_of, text_id)
    finally:
        db.close_blocking()
    if text is None:
        raise NoSuchText(f"There is no text {text_id} of ours; `replyline text` and the log name them: txt_...")
    if as_json:
        rows = [{name: plain(value) for name, value in row._mapping.items()} for row in found]
        click.echo(json.dumps({"text": text_id, "status": text.status, "sid": text.sid, "decisions": rows}, indent=2))
        return
    click.echo(f"{text_id} is {text.status}" + (f": {text.why.rstrip('.')}." if text.why else "."))
    if text.sid:
        click.echo(f"Twilio knows it as {text.sid}" + (f", error {text.error_code}." if text.error_code else "."))
    for row in found:
        click.echo("\n" + "\n".join(in_words(dict(row._mapping))))
    if not found:
        click.echo("The gate has not judged it yet." if text.status == "queued" else "No decision was kept of it.")


@click.group()
def gate() -> None:
    """The judge that every text passes at the moment it leaves."""


@gate.command()
@LINE
@click.argument("to")
@click.option(
    "--purpose",
    type=click.Choice(["conversational_reply", "transactional", "marketing", "help_reply", "emergency"]),
    required=True,
)
@click.option("--program", default="", help="One of the line's programs.")
@click.option("--at", "when", metavar="TIME", help="ISO 8601; without a zone it is UTC. Default: now.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def check(line_name: str, to: str, purpose: str, program: str, when: str | None, as_json: bool) -> None:
    """Ask beforehand. Nothing is sent or kept. Exit code 0: it may leave; 1: never; 2: it would wait."""
    from replyline.outbound.choose_sender import choose_sender
    from replyline.outbound.queue import UnsendableText
    from replyline.people.export import plain
    from replyline.rules.explain import in_words
    from replyline.rules.foresee import foresee
    from replyline.rules.rulebook import read_rulebook

    with opened(line_name) as on:
        at = moment(when) or on.now
        book = read_rulebook(on.settings.rules_dir)
        given: dict[str, Any] = {"purpose": purpose, "program": program, "secret": on.secret}
        phone = on.phone(to)
        with suppress(UnsendableText):  # no sender is for that country: the rules say what they can without
            given["our_address"] = choose_sender(on.senders, phone).our_address
        decision = on.db.run_blocking(foresee, on.line, book, phone, at=at, **given)
    if as_json:
        click.echo(json.dumps({name: plain(value) for name, value in decision.items()}, indent=2))
    else:
        click.echo("\n".join(in_words(decision)))
    sys.exit(EXIT[decision["verdict"]])


def moment(written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise click.ClickException(
            f"{written!r} is no time; write 2026-12-24T21:00 or 2026-12-24T21:00-05:00."
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
