"""`replyline contact`: what people may ask of a business that texts them."""

import json
import os

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
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(line_name: str, by: str, phone: str, yes: bool) -> None:
    """Forget a person: texts, pictures, answers and name go; an opt-out and the proof of consent stay as a hash."""
    from replyline.people.erase import erase as forget
    from replyline.rules.consent import Whose

    with opened(line_name) as at:
        if at.settings.hash_secret is None:
            raise NoSecret(
                "Set REPLYLINE_HASH_SECRET first, for good: it keys the hash by which their opt-out is still known."
            )
        whose = Whose(line=at.line.key, phone=at.phone(phone))
        if not yes:
            click.confirm(f"Forget {whose.phone}? This cannot be undone", abort=True)
        gone = at.db.run_blocking(forget, whose, secret=at.secret, by=by, now=at.now)
        at.db.run_blocking(clear_up)
        left = delete_files(at, gone.files)
    click.echo(f"{gone.texts} texts and {len(gone.files) - len(left)} files are gone.")
    if gone.is_suppressed:
        click.echo("They had opted out, and are still not texted.")
    if gone.sids:
        click.echo(f"Twilio still has {len(gone.sids)} messages; delete them there by their ids if they asked for it.")
    for file in left:
        click.echo(f"This file could not be deleted: {file}", err=True)


def clear_up(conn: object) -> None:
    """SQLite keeps what was changed in its log until that is emptied."""
    from sqlalchemy import Connection

    assert isinstance(conn, Connection)
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA incremental_vacuum")


def delete_files(at: Opened, files: object) -> list[str]:
    """Delete from the local folder; gives what could not be."""
    left = []
    for key in files:  # type: ignore[attr-defined]
        try:
            os.unlink(at.settings.media_dir / key)
        except OSError:
            left.append(str(key))
    return left
