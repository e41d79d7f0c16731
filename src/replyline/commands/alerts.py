"""`replyline alerts`: whether people would be told, and what goes on now."""

import asyncio
import json
import sys

import click

from replyline.log import set_up_logs


@click.group()
def alerts() -> None:
    """Who is told when something goes wrong, and what goes on now."""


@alerts.command()
def test() -> None:
    """Send a test to every address of REPLYLINE_ALERTS and say which took it. Exit code 1 when one did not."""
    from replyline.alerts.addresses import Words, addresses_in, tell_all
    from replyline.settings import read_settings

    settings = read_settings()
    settings.need("alerts")
    assert settings.alerts is not None
    set_up_logs(level=settings.log_level)
    addresses = addresses_in(settings.alerts.get_secret_value(), secret=b"")
    body = "This is a test of Replyline's alerts. Nothing is wrong."
    words = Words(title="Replyline: a test", body=body, kind="info", about="replyline/test")
    told = asyncio.run(tell_all(addresses, words))
    for address, each in zip(addresses, told, strict=True):
        click.echo(f"{address.name}: " + ("told." if each.is_told else f"not told: {each.why}."))
    if not all(each.is_told for each in told):
        sys.exit(1)


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(as_json: bool) -> None:
    """List what goes on now, the most urgent first."""
    from replyline.alerts.raising import going_on
    from replyline.db import open_db
    from replyline.settings import read_settings

    db = open_db(read_settings().database_url)
    try:
        found = db.run_blocking(going_on)
    finally:
        db.close_blocking()
    if as_json:
        rows = [
            {"key": each.key, "level": each.level, "since": each.since.isoformat(), "says": each.says} for each in found
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for each in found:
        click.echo(f"{each.level:<5}  {each.key}, since {each.since:%Y-%m-%d %H:%M} UTC: {each.says}")
    if not found:
        click.echo("Nothing goes on.")
