"""`replyline consent`: what people agreed to, proved."""

import os
import sys
from pathlib import Path

import click

from replyline.commands.opened import opened

LINE = click.option("--line", "line_name", default="line:line", show_default=True, metavar="MODULE:NAME")
BY = click.option("--by", default=lambda: os.environ.get("USER", "operator"), help="Who does it; kept in the ledger.")
PURPOSES = click.Choice(["transactional", "marketing"])


@click.group()
def consent() -> None:
    """What people agreed to and took back: the ledger, its proof, lists from elsewhere."""


@consent.command()
@LINE
def verify(line_name: str) -> None:
    """Compute the ledger's chain anew. Exit code 1 when a row was changed or is missing."""
    from replyline.rules.ledger import verify as look_through

    with opened(line_name) as at:
        found = at.db.run_blocking(look_through, at.line.key)
    click.echo(f"{found.events} events, {found.erased} of them erased. The last one's hash: {found.head}")
    if found.before_the_chain:
        click.echo(f"{found.before_the_chain} more are from a version that kept no chain, and cannot be checked.")
    for each in found.wrong:
        click.echo(f"wrong  {each}")
    if found.wrong:
        sys.exit(1)
    click.echo(
        "Nothing was changed, and nothing is missing. Note the hash elsewhere, and nobody can write it all anew."
    )


@consent.command()
@LINE
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
def export(line_name: str, form: str) -> None:
    """Print the ledger for an audit."""
    from replyline.people import lists

    write = lists.write_csv if form == "csv" else lists.write_json_lines
    with opened(line_name) as at:
        rows = at.db.run_blocking(lambda conn: list(lists.ledger_rows(conn, at.line.key)))
    write(rows, sys.stdout)


@consent.command(name="import")
@LINE
@BY
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_list(line_name: str, by: str, file: Path) -> None:
    """Take in a CSV list with the columns phone, event (opt_in or opt_out), scope, tier, program, at and how."""
    import csv

    from replyline.people.lists import BadList, read_list

    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        if not {"phone", "event"} <= set(reader.fieldnames or ()):
            raise BadList(f"{file.name} needs a first line that names its columns: at least phone and event.")
        rows = list(reader)
    with opened(line_name) as at:
        count = at.db.run_blocking(read_list, at.line.key, rows, by=by, now=at.now)
    click.echo(f"{count} events are in the ledger.")


@consent.command()
@LINE
@click.argument("phone")
def show(line_name: str, phone: str) -> None:
    """What one person agreed to and took back, in order."""
    from replyline.people.export import consent_of, plain

    with opened(line_name) as at:
        events, held = at.db.run_blocking(consent_of, at.line.key, at.phone(phone))
    for row in events:
        words = {name: plain(value) for name, value in row._mapping.items() if value is not None and name in SHOWN}
        click.echo("; ".join(f"{name}: {value}" for name, value in words.items()))
    click.echo(f"They have opted out of {held.scope} texts." if held else "They have not opted out.")


SHOWN = ("at", "kind", "source", "scope", "tier", "program", "matched_by", "word", "proof", "text_id", "position")


@consent.command()
@LINE
@BY
@click.argument("phone")
@click.option("--purpose", type=PURPOSES, required=True)
@click.option("--tier", type=click.Choice(["express", "express_written"]), default="express", show_default=True)
@click.option("--program", default="", help="One of the line's programs.")
@click.option("--how", required=True, help="How they agreed: where, on what form, what it said.")
def give(line_name: str, by: str, phone: str, purpose: str, tier: str, program: str, how: str) -> None:
    """Write down that somebody has agreed to be texted. Where the line asks for double opt-in, they are asked by text."""
    from replyline.people.sign_up import SignUp, sign_up
    from replyline.plugins.programs import Tier
    from replyline.rules.facts import Purpose

    with opened(line_name) as at:
        proof = {"by": by, "how": how}
        given = SignUp(
            phone=at.phone(phone), purpose=Purpose(purpose), tier=Tier(tier), source="person", program=program,
            proof=proof, is_welcomed=False,
        )  # fmt: skip
        signed_up = at.db.run_blocking(sign_up, at.line, at.senders, given, at.now)
    if signed_up.waits_for_answer:
        click.echo("It is in the ledger, and counts once they answer JOIN to the question that is on its way to them.")
    else:
        click.echo("It is in the ledger.")


@consent.command()
@LINE
@BY
@click.argument("phone")
@click.option("--scope", type=click.Choice(["all", "marketing", "transactional"]), default="all", show_default=True)
@click.option("--how", default="", help="How they said so: by phone, by e-mail.")
def stop(line_name: str, by: str, phone: str, scope: str, how: str) -> None:
    """Write down that somebody wants no more texts, however they said so."""
    from replyline.people.stop import stop_texting

    with opened(line_name) as at:
        at.db.run_blocking(stop_texting, at.line.key, at.phone(phone), scope=scope, by=by, how=how, now=at.now)
    click.echo("They are not texted any more." if scope == "all" else f"They get no {scope} texts any more.")
