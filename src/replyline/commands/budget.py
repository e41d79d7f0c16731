"""`replyline budget`: what is left of each budget, and a person who lets one have more."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from replyline.commands.consent import BY, LINE
from replyline.commands.opened import opened
from replyline.errors import ReplylineError


class NoSuchBudget(ReplylineError):
    """The line has no budget like that, or several; and which it has."""


@click.group()
def budget() -> None:
    """What the line may spend, and has spent."""


@budget.command()
@LINE
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(line_name: str, as_json: bool) -> None:
    """Every budget in the period that it is now. Of campaigns and contacts, the twenty that have used most."""
    from replyline.costs.budgets import standing

    with opened(line_name) as at:
        found = at.db.run_blocking(standing, at.line, at.now)
        has_budgets = bool(at.line.budgets)
    if as_json:
        click.echo(json.dumps([in_words(each) for each in found], indent=2))
        return
    if not has_budgets:
        click.echo("The line has no budgets: write Line(budgets=[Budget(50)]).")
    for each in map(in_words, found):
        raised = f", {each['raised']} of it raised" if Decimal(each["raised"]) else ""
        click.echo(
            f"{each['budget']} {each['period']}: {each['left']} left of {each['limit']} dollars{raised}; "
            f"{each['spent']} spent, {each['reserved']} on its way, {each['for_replies']} kept for replies"
        )


@budget.command(name="raise")
@LINE
@BY
@click.argument("amount", metavar="DOLLARS")
@click.option("--per", type=click.Choice(["day", "month", "all"]), help="Which budget, when there are several.")
@click.option("--of", "of_what", type=click.Choice(["line", "campaign", "contact", "model"]), help="The same.")
@click.option("--campaign", default="", help="Whose, of a campaign's budget.")
@click.option("--contact", "phone", default="", metavar="PHONE", help="Whose, of a contact's budget.")
def raise_budget(
    line_name: str, by: str, amount: str, per: str | None, of_what: str | None, campaign: str, phone: str
) -> None:
    """Let a budget have so many dollars more, in this period alone. What waits for it leaves then. It is kept who did."""
    from replyline.costs.allowance import allowance
    from replyline.costs.budgets import raise_by

    micros = micros_in(amount)
    with opened(line_name) as at:
        of = of_what or ("campaign" if campaign else "contact" if phone else "line")
        chosen = one_of(at.line, of, per, campaign)
        each = allowance(chosen, at.line.key, scope(at, chosen, campaign, phone), at.line.timezone, at.now)
        raised = at.db.run_blocking(raise_by, each, micros, by=by, now=at.now)
    found = in_words(raised)
    click.echo(f"{found['budget']} {found['period']}: {found['left']} left of {found['limit']} dollars.")


def one_of(line: Any, of: str, per: str | None, campaign: str) -> Any:
    """The one budget that is meant."""
    found = [
        each
        for each in line.budgets
        if each.of == of and per in {None, each.per} and each.campaign in {"", campaign or each.campaign}
    ]
    if len(found) != 1:
        has = "; ".join(f"--of {each.of} --per {each.per}" for each in line.budgets) or "none"
        raise NoSuchBudget(f"Say which budget, by --of and --per, and --campaign; the line has: {has}.")
    return found[0]


def scope(at: Any, chosen: Any, campaign: str, phone: str) -> str:
    from replyline.costs.budgets import contact_id_of

    if chosen.of == "campaign":
        if not (campaign or chosen.campaign):
            raise NoSuchBudget("Say which campaign, by --campaign.")
        return f"campaign:{campaign or chosen.campaign}"
    if chosen.of == "contact":
        if not phone:
            raise NoSuchBudget("Say whose budget, by --contact.")
        number = at.phone(phone)
        found = at.db.run_blocking(contact_id_of, at.line.key, number)
        if found is None:
            raise NoSuchBudget("The line has no contact with that number.")
        return f"contact:{found}"
    return str(chosen.of)


def micros_in(amount: str) -> int:
    try:
        dollars = Decimal(amount)
    except InvalidOperation:
        dollars = Decimal("NaN")
    if not dollars.is_finite() or not dollars:
        raise click.ClickException(f"{amount!r} is no amount in dollars; write 20 or 0.50.")
    return int(dollars * 1_000_000)


def in_words(each: Any) -> dict[str, Any]:
    """A budget for people and programs; money as decimals with six places."""
    from replyline.commands.costs import money

    return {
        "budget": each.key[1],
        "period": each.key[2],
        "limit": money(each.limit),
        "raised": money(each.raised),
        "spent": money(each.spent),
        "reserved": money(each.reserved),
        "left": money(each.room(is_reply=True)),
        "for_replies": money(round(each.limit * each.budget.kept_for_replies)),
        "ends_at": None if each.budget.per == "all" else each.ends_at.isoformat(),
    }
