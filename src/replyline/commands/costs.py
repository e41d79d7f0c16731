"""`replyline costs`: what was spent, on what, and how that compares with Twilio's bill."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from replyline.commands.consent import LINE
from replyline.commands.opened import numbers_in, opened

BY = click.Choice(["day", "month", "kind", "country", "sender", "purpose", "campaign", "conversation", "model"])
NUMBER = re.compile(r"-?\d+\.\d+")
FORM = click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)


@click.group(invoke_without_command=True)
@LINE
@click.option("--by", multiple=True, type=BY, help="Group by this; several may be given.")
@click.option("--since", metavar="DAY", help="The first UTC day, or a month: 2026-03. Default: this month.")
@click.option(
    "--until", metavar="DAY", help="The last UTC day, or a month. Default: today, or the end of --since's month."
)
@click.option("--most", default=20, show_default=True, help="Of conversations: so many, the dearest first.")
@FORM
@click.pass_context
def costs(
    ctx: click.Context, line_name: str, by: tuple[str, ...], since: str | None, until: str | None, most: int, form: str
) -> None:
    """What was spent: Twilio's prices where they are known, estimates until then. A price nobody knows is counted apart."""
    if ctx.invoked_subcommand is not None:
        return
    with opened(line_name) as on:
        first, last = period(since, until, on.now.astimezone(UTC).date())
        if "conversation" in by:
            talks(on, by, first, last, most, form)
        else:
            groups(on, by or ("kind",), first, last, form)


@costs.command()
@LINE
@click.option("--since", metavar="DAY", help="The first UTC day, or a month. Default: this month.")
@click.option(
    "--until", metavar="DAY", help="The last UTC day, or a month. Default: today, or the end of --since's month."
)
@FORM
def bill(line_name: str, since: str | None, until: str | None, form: str) -> None:
    """Twilio's bill of the whole account beside our ledger, by day: what was adjusted is what our charges do not explain."""
    from replyline.costs.views import bill_days

    with opened(line_name) as on:
        first, last = period(since, until, on.now.astimezone(UTC).date())
        rows = on.db.run_blocking(bill_days, first, last)
    amounts = (
        "texts_billed",
        "carrier_fees_in_it",
        "failed_billed",
        "numbers_billed",
        "texts_ours",
        "failed_ours",
        "adjusted",
    )
    show([row | {name: money(row[name]) for name in amounts} for row in rows], form, first, last)


@costs.command()
@LINE
@click.argument("words")
@click.option("--file", type=click.File("r", encoding="utf-8-sig"), required=True, help="A number on each line.")
def estimate(line_name: str, words: str, file: Any) -> None:
    """What a text to many people would cost, by country, and what would make it cheaper. Nothing is sent."""
    from replyline.commands.estimate import estimated, quickly, said
    from replyline.costs.book import fetched
    from replyline.costs.prices import read_prices

    with opened(line_name) as on:
        known = read_prices(on.settings.prices_dir, on.db.run_blocking(fetched))
        phones, bad = numbers_in(file, quickly(on.phone))
        found = estimated(words, phones, known, on.senders, on.now.date())
    for each in table(found.rows):
        click.echo(each)
    for sentence in said(found, bad):
        click.echo(sentence)


@costs.command()
@LINE
@click.argument("countries", nargs=-1, metavar="[COUNTRY]...")
@FORM
def prices(line_name: str, countries: tuple[str, ...], form: str) -> None:
    """The prices that hold today, from which list, of what day, and how far its source is to be trusted."""
    from replyline.costs.book import fetched
    from replyline.costs.prices import read_prices

    with opened(line_name) as on:
        known = read_prices(on.settings.prices_dir, on.db.run_blocking(fetched))
        wanted, today = [each.upper() for each in countries] or list(on.line.countries), on.now.date()
        found = [row for each in wanted for row in known.in_country(each, today)]
    shown = [
        {
            "country": row.country,
            "what": row.what,
            "sender": row.sender,
            "amount": "not known" if row.amount is None else f"{row.amount:f}",
            "currency": row.currency,
            "since": row.since.isoformat(),
            "source": row.source,
        }
        for row in found
    ]
    if form == "table":
        for each in table(shown):
            click.echo(each)
    else:
        show(shown, form, today, today)


@costs.command()
@LINE
@click.argument("countries", nargs=-1, metavar="[COUNTRY]...")
def fetch(line_name: str, countries: tuple[str, ...]) -> None:
    """Ask Twilio's Pricing API for today's prices, and keep them. A running server does so once a day by itself."""
    import asyncio

    from replyline.app import twilio_of
    from replyline.costs.fetching import fetch as fetch_prices

    async def ask(on: Any) -> int:
        on.settings.need("twilio_account_sid", "twilio_auth_token")
        twilio = twilio_of(on.settings)
        try:
            wanted = [each.upper() for each in countries] or list(on.line.countries)
            return await fetch_prices(on.db, twilio, wanted, on.now)
        finally:
            await twilio.close()

    with opened(line_name) as on:
        count = asyncio.run(ask(on))
    click.echo(f"The prices of {count} countries are kept." if count != 1 else "The prices of one country are kept.")


def groups(on: Any, by: Sequence[str], first: date, last: date, form: str) -> None:
    from replyline.costs.views import view

    rows = on.db.run_blocking(view, on.line.key, by=by, since=first, until=last)
    show([dict(zip(by, row.by, strict=True)) | in_words(row.currency, row.figures) for row in rows], form, first, last)


def talks(on: Any, by: Sequence[str], first: date, last: date, most: int, form: str) -> None:
    from replyline.costs.views import dearest_talks

    if len(by) > 1:
        raise click.ClickException("Conversations are summed by themselves: give --by conversation alone.")
    rows = on.db.run_blocking(dearest_talks, on.line.key, whole(first, last), most)
    show(
        [
            {
                "conversation": row.conversation_id,
                "phone": row.phone,
                "charges": row.charges,
                "currency": row.currency,
                "cost": money(row.cost_micros),
                "price_unknown": row.unknown,
            }
            for row in rows
        ],
        form,
        first,
        last,
    )


def in_words(currency: str, figures: Any) -> dict[str, Any]:
    return {
        "charges": figures.charges,
        "units": figures.units,
        "currency": currency,
        "cost": money(figures.cost_micros),
        "estimated": money(figures.estimated_micros),
        "difference": money(figures.difference_micros),
        "price_unknown": figures.unknown,
        "price_awaited": figures.unpriced,
        "input_tokens": figures.input_tokens,
        "cached_tokens": figures.cached_tokens,
        "cache_write_tokens": figures.cache_write_tokens,
        "output_tokens": figures.output_tokens,
    }


def money(micros: int) -> str:
    """An amount as a decimal with six places; no float comes near it."""
    from replyline.costs.prices import amount_of

    return f"{amount_of(micros):.6f}"


def show(rows: Sequence[dict[str, Any]], form: str, first: date, last: date) -> None:
    if form == "json":
        click.echo(json.dumps({"since": first.isoformat(), "until": last.isoformat(), "rows": rows}, indent=2))
    elif form == "csv":
        if rows:
            writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    else:
        click.echo(f"{first} to {last}, UTC")
        for each in table(rows):
            click.echo(each)
        if unknown := sum(row.get("price_unknown", 0) for row in rows):
            click.echo(f"{unknown} of these have no known price, and are not in the sums.")


def table(rows: Sequence[dict[str, Any]]) -> Iterable[str]:
    """Columns that say something, numbers to the right."""
    if not rows:
        return ["There is nothing."]
    names = [name for name in rows[0] if any(row[name] not in (0, "0.000000") for row in rows) or name == "cost"]
    cells = [
        names,
        *([f"{row[name]:,}" if isinstance(row[name], int) else row[name] or "-" for name in names] for row in rows),
    ]
    widths = [max(len(row[n]) for row in cells) for n in range(len(names))]
    is_right = [isinstance(rows[0][name], int) or NUMBER.fullmatch(rows[0][name] or "") is not None for name in names]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_right, strict=True)
        ).rstrip()
        for row in cells
    ]


def period(since: str | None, until: str | None, today: date) -> tuple[date, date]:
    first = days_in(since)[0] if since else today.replace(day=1)
    default = days_in(since)[1] if since and len(since) < len("2026-03-01") else max(today, first)
    last = days_in(until)[1] if until else default
    if last < first:
        raise click.ClickException(f"{first} is after {last}.")
    return first, last


def days_in(written: str) -> tuple[date, date]:
    """The first and last day of a day, a month or a year."""
    for form, step in (("%Y-%m-%d", 1), ("%Y-%m", 31), ("%Y", 366)):
        try:
            first = datetime.strptime(written, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
        if step == 1:
            return first, first
        later = first + timedelta(days=step)
        return first, later.replace(day=1, month=later.month if step == 31 else 1) - timedelta(days=1)
    raise click.ClickException(f"{written!r} is no day: write 2026-03-01, 2026-03 or 2026.")


def whole(first: date, last: date) -> str:
    """The month or year that a period is in."""
    is_year = (first.month, first.day) == (1, 1) and (last.month, last.day) == (12, 31) and first.year == last.year
    if is_year:
        return f"{first:%Y}"
    if first.day != 1 or (first.year, first.month) != (last.year, last.month):
        raise click.ClickException(
            "Conversations are summed by month or by year: give --since 2026-03 or --since 2026."
        )
    return f"{first:%Y-%m}"
