"""`replyline contact`: what people may ask of a business that texts them."""

import asyncio
import json
from collections.abc import Sequence

import click

from replyline.commands.consent import BY, LINE
from replyline.commands.opened import Opened, opened
from replyline.errors import ReplylineError


class NoSecret(ReplylineError):
    """The key of the hashes that outlive an erasure is missing."""


@click.group()
def contact() -> None:
    """What is known of a person: to show them, and to forget."""


@contact.command()
@LINE
@BY
@click.argument("phone")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def export(line_name: str, by: str, phone: str, as_json: bool) -> None:
    """Print everything that is known of a person. That it was asked for is written down."""
    from replyline.people.export import export as find
    from replyline.people.export import in_words
    from replyline.rules.consent import Whose

    with opened(line_name) as at:
        whose = Whose(line=at.line.key, phone=at.phone(phone))
        found = at.db.run_blocking(find, whose, secret=at.secret, by=by, now=at.now)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else "\n".join(in_words(found)))


@contact.command()
@LINE
@BY
@click.argument("phone")
@click.option("--at-twilio", is_flag=True, help="Have Twilio's messages and media deleted too, by the running server.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(line_name: str, by: str, phone: str, at_twilio: bool, yes: bool) -> None:
    """Forget a person: texts, pictures, answers and name go; an opt-out and the proof of consent stay as a hash.

    Asked again with --at-twilio, it says how many messages Twilio still has to delete.
    """
    from replyline.inbound.messages_at_twilio import left_of
    from replyline.people.erase import NotKnown
    from replyline.people.erase import erase as forget
    from replyline.rules.consent import Whose
    from replyline.rules.person import person_of

    with opened(line_name) as at:
        if at.settings.hash_secret is None:
            raise NoSecret(
                "Set REPLYLINE_HASH_SECRET first, for good: it keys the hash by which their opt-out is still known."
            )
        whose = Whose(line=at.line.key, phone=at.phone(phone))
        pending = at.db.run_blocking(left_of, whose.line, person_of(whose.phone, at.secret)) if at_twilio else 0
        if not yes and not pending:
            also = "" if at_twilio else ", here and not at Twilio (--at-twilio)"
            click.confirm(f"Forget {whose.phone}{also}? This cannot be undone", abort=True)
        try:
            gone = at.db.run_blocking(forget, whose, secret=at.secret, by=by, now=at.now, at_twilio=at_twilio)
        except NotKnown:
            if not pending:
                raise
            click.echo(f"They are forgotten here. {messages(pending)} still to be deleted at Twilio.")
            return
        at.db.run_blocking(clear_up)
        left = delete_files(at, gone.files)
    click.echo(f"{gone.texts} texts and {len(gone.files) - len(left)} files are gone.")
    if gone.is_suppressed:
        click.echo("They had opted out, and are still not texted.")
    if at_twilio:
        click.echo(f"{messages(len(gone.sids) + pending)} to be deleted at Twilio by the running server.")
    elif gone.sids:
        click.echo(
            f"Twilio still has {len(gone.sids)}, which --at-twilio would have had deleted: {', '.join(gone.sids)}"
        )
    for file in left:
        click.echo(f"This file could not be deleted; the running server tries on: {file}", err=True)


def messages(count: int) -> str:
    return "1 message is" if count == 1 else f"{count} messages are"


@contact.command()
@click.argument("line_name", metavar="MODULE:NAME")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def retention(line_name: str, as_json: bool) -> None:
    """Say what is older than the line keeps it: it goes with the next daily look of the running server."""
    from replyline.people.retention import foresee

    with opened(line_name) as at:
        counts = foresee(at.db, at.line, at.now)
    if as_json:
        click.echo(json.dumps(counts))
        return
    if not at.line.keeps:
        click.echo(
            f"The line {at.line.key} keeps everything until somebody erases it; Line(keeps=Keeps(...)) says otherwise."
        )
    for name, what in WHAT_GOES.items():
        days = getattr(at.line.keeps, name)
        if days is not None:
            click.echo(f"{counts.get(name, 0)} {what} would go, older than {days} days.")


WHAT_GOES = {
    "words": "texts' words",
    "pictures": "pictures",
    "answers": "records of how an answer was worked out",
    "decisions": "decisions of the gate",
    "reports": "delivery reports' fields",
    "consent_proof": "proofs of consent that has ended",
    "opt_outs": "numbers of people who opted out, who are still not texted",
}


def clear_up(conn: object) -> None:
    """SQLite keeps what was changed in its log until that is emptied."""
    from sqlalchemy import Connection

    assert isinstance(conn, Connection)
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA incremental_vacuum")


def delete_files(at: Opened, keys: Sequence[str]) -> list[str]:
    """Delete from where pictures are kept, at once; gives what could not be, for which there is a work row."""
    from replyline.conversations.media_store import open_store
    from replyline.people import files

    async def delete_all() -> list[str]:
        store, left = open_store(at.settings), []
        try:
            for key in keys:
                try:
                    await files.delete_now(at.db, store, key)
                except Exception:  # whatever the disk or the bucket has against it
                    left.append(key)
                else:
                    await at.db.run(files.done, key)
        finally:
            await store.close()
        return left

    return asyncio.run(delete_all()) if keys else []
