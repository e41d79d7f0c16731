"""`replyline why` and `replyline gate check`: what the gate said, and what it would say."""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import click

from replyline.commands.consent import LINE
from replyline.commands.opened import numbers_in, opened
from replyline.errors import ReplylineError

if TYPE_CHECKING:
    from replyline.rules.judge import Decision

EXIT = {"send": 0, "refuse": 1, "wait": 2}
MOST_REASONS = 20  # places differ, so a list of the whole country has hundreds


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
@click.argument("to", required=False)
@click.option("--file", "file", type=click.File(encoding="utf-8"), help="One number a line; `-` reads standard input.")
@click.option(
    "--purpose",
    type=click.Choice(["conversational_reply", "transactional", "marketing", "help_reply", "emergency"]),
    required=True,
)
@click.option("--program", default="", help="One of the line's programs.")
@click.option("--at", "when", metavar="TIME", help="ISO 8601; without a zone it is UTC. Default: now.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def check(
    line_name: str,
    to: str | None,
    file: TextIO | None,
    purpose: str,
    program: str,
    when: str | None,
    as_json: bool,
) -> None:
    """Ask beforehand, of one number or of all in a file. Nothing is sent or kept.

    Exit code 0: it may leave; 1: never; 2: it would wait. Of a file: 1 when any never would, 2 when any would wait.
    """
    from replyline.outbound.choose_sender import address_for
    from replyline.people.export import plain
    from replyline.rules.explain import in_words
    from replyline.rules.foresee import foresee, foresee_many
    from replyline.rules.rulebook import read_rulebook

    if (to is None) == (file is None):
        raise click.UsageError("Give either a number or --file.")
    with opened(line_name) as on:
        at = moment(when) or on.now
        book = read_rulebook(on.settings.rules_dir)
        given: dict[str, Any] = {"purpose": purpose, "program": program, "secret": on.secret}
        given["leaves_from"] = partial(address_for, on.senders)
        if file is not None:
            phones, bad = numbers_in(file, on.phone)
            tell_counts(on.db.run_blocking(foresee_many, on.line, book, phones, at=at, **given), bad, as_json=as_json)
            return
        decision = on.db.run_blocking(foresee, on.line, book, on.phone(str(to)), at=at, **given)
    if as_json:
        click.echo(json.dumps({name: plain(value) for name, value in decision.items()}, indent=2))
    else:
        click.echo("\n".join(in_words(decision)))
    sys.exit(EXIT[decision["verdict"]])


def tell_counts(decisions: "Mapping[str, Decision]", bad: Sequence[int], *, as_json: bool) -> None:
    """How many of each verdict, and for which reasons, the most frequent first."""
    from replyline.rules.decisions import name_of, rule_of
    from replyline.rules.verdict import Send

    verdicts = Counter(name_of(each.verdict) for each in decisions.values())
    reasons = Counter(
        (name_of(each.verdict), rule_of(each) or "", each.verdict.why)
        for each in decisions.values()
        if not isinstance(each.verdict, Send)
    )
    if as_json:
        names = ("verdict", "rule", "why", "count")
        rows = [dict(zip(names, (*reason, count), strict=True)) for reason, count in reasons.most_common()]
        counts = {"numbers": len(decisions), **{each: verdicts[each] for each in EXIT}}
        click.echo(json.dumps(counts | {"reasons": rows, "not_numbers": list(bad)}, indent=2))
    else:
        click.echo(f"{len(decisions):,} numbers: {verdicts['send']:,} may leave", nl=False)
        click.echo(f", {verdicts['wait']:,} would wait, {verdicts['refuse']:,} never would.")
        for (verdict, rule, why), count in reasons.most_common(MOST_REASONS):
            click.echo(f"  {count:>9,} {verdict}, {rule}: {why}")
        if len(reasons) > MOST_REASONS:
            click.echo(f"  and {len(reasons) - MOST_REASONS:,} reasons more; --json has them all.")
        if bad:
            some = ", ".join(map(str, bad[:10])) + (", ..." if len(bad) > 10 else "")
            click.echo(f"{len(bad):,} lines are no phone numbers: {some}.")
    sys.exit(1 if verdicts["refuse"] or bad else 2 if verdicts["wait"] else 0)


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
