"""`replyline segments`: what a text comes to, drawn."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from itertools import islice
from unicodedata import category, name

import click

from replyline.commands.fewer_segments import Way, by_twilio, saved_alone, units_too_many, ways_to_fewer
from replyline.commands.list_prices import ListPrice, list_price
from replyline.conversations.look_alikes import Replacement, with_replacements, worthwhile
from replyline.conversations.segments import (
    GSM_7_EXTENSION,
    LONGEST_BODY,
    Encoding,
    Segments,
    encoding_of,
    measure,
    room_in,
    split,
    units_in,
)
from replyline.errors import ReplylineError

MOST_SHOWN = 8  # kinds of characters, and places of one
HOW = {
    "look-alikes": "with look-alikes that keep the meaning (--smart)",
    "no emoji": "",
    "plain letters": "with plain letters, which is not how it is spelled",
}


class NotText(ReplylineError):
    """These bytes are not UTF-8."""


@click.command()
@click.argument("text")
@click.option("--smart", is_flag=True, help="With look-alikes that keep the meaning, when they save a segment.")
@click.option("--twilio-smart", is_flag=True, help="With what Twilio's own smart encoding makes of it.")
@click.option(
    "--to", "places", multiple=True, metavar="COUNTRY|PHONE", default=["US"], show_default=True, help="Where it goes."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def segments(text: str, smart: bool, twilio_smart: bool, places: Sequence[str], as_json: bool) -> None:
    """Draw the segments of a text: what forces UCS-2, where they break, how to need fewer, what they cost.

    TEXT may be - for standard input, less the line end at its end. Exit code 1: Twilio would refuse it as too long.
    """
    if smart and twilio_smart:
        raise click.UsageError("--smart and --twilio-smart exclude each other.")
    written = read(text)
    prices = [list_price(place) for place in places]
    replaced = worthwhile(written) if smart else by_twilio(written).replacements if twilio_smart else []
    body = with_replacements(written, replaced)
    if as_json:
        click.echo(json.dumps(as_data(body, replaced, prices), indent=2))
    else:
        if smart or twilio_smart:
            click.echo("\n".join([*said_of_replacements(written, replaced), ""]))
        click.echo("\n".join(drawing(body, prices)))
    if len(body) > LONGEST_BODY:
        sys.exit(1)


def read(text: str) -> str:
    """The text as given, or from standard input."""
    try:
        if text == "-":
            piped: bytes = sys.stdin.buffer.read()
            return piped.decode().removesuffix("\n").removesuffix("\r")
        text.encode()
    except UnicodeError:
        raise NotText from None
    return text


def drawing(body: str, prices: Sequence[ListPrice]) -> Iterator[str]:
    size = measure(body)
    yield headline(body, size)
    yield from doubled(body) if size.encoding is Encoding.GSM_7 else forcing(body)
    yield ""
    yield from parts(body, size)
    yield ""
    yield from fewer(body, size)
    yield from (price_in_words(price, size.segments) for price in prices)
    if any(price.usd is not None for price in prices):
        yield "What carriers add is not in it, nor your discounts."


def headline(body: str, size: Segments) -> str:
    unit = "septets" if size.encoding is Encoding.GSM_7 else "16-bit units"
    said = f"{counted(size.segments)} in {size.encoding}: {len(body):,} characters, {size.units:,} {unit}."
    if len(body) > LONGEST_BODY:
        said += f" Twilio refuses it: more than {LONGEST_BODY:,} characters (error 21617)."
    return said


def forcing(body: str) -> Iterator[str]:
    """Each kind of character that GSM-7 lacks, with where it stands."""
    places: dict[str, list[int]] = {}
    for at, character in enumerate(body, start=1):
        if encoding_of(character) is Encoding.UCS_2:
            places.setdefault(character, []).append(at)
    yield "UCS-2 because GSM-7 lacks:"
    for character, where in islice(places.items(), MOST_SHOWN):
        yield f"  {shown(character)}  {named(character)}, {at_places(where)}"
    if len(places) > MOST_SHOWN:
        yield f"  and {len(places) - MOST_SHOWN} more kinds of characters"


def doubled(body: str) -> Iterator[str]:
    found = [f"{shown(each)} ({body.count(each)})" for each in GSM_7_EXTENSION if each in body]
    if found:
        yield f"Two septets each: {', '.join(found)}."


def parts(body: str, size: Segments) -> Iterator[str]:
    """A line for each segment, with how full it is."""
    alone_, joined = room_in(size.encoding)
    room = alone_ if size.segments == 1 else joined
    for number, part in enumerate(split(body), start=1):
        yield f"{number:>3} |{shown(part)}| {units_in(part, size.encoding)} of {room}"


def fewer(body: str, size: Segments) -> Iterator[str]:
    if size.segments == 1:
        return
    yield "Fewer segments:"
    for way in ways_to_fewer(body):
        how = ["without its emoji"] * (way.base != body) + [HOW[way.name]] * (HOW[way.name] != "")
        yield f"  {counted(way.segments)} {', '.join(how)}{':' if way.replacements else ''}"
        yield from kinds(way)
    if size.encoding is Encoding.UCS_2:
        yield f"  {counted(by_twilio(body).segments)} with Twilio's own smart encoding"
    too_many, unit = units_too_many(body), "septet" if size.encoding is Encoding.GSM_7 else "unit"
    yield f"  {counted(size.segments - 1)} when it is {too_many} {unit if too_many == 1 else f'{unit}s'} shorter"
    yield ""


def kinds(way: Way) -> Iterator[str]:
    """What the way replaces, and what each kind saves by itself."""
    found = counts(way.replacements)
    saved = {kind: saved_alone(way, kind) for kind in found}
    for kind, times in islice(found.items(), MOST_SHOWN):
        by_itself = f", saves {saved[kind]} by itself" if saved[kind] > 0 and len(found) > 1 else ""
        yield f"    {in_words(kind, times)}{by_itself}"
    if len(found) > MOST_SHOWN:
        yield f"    and {len(found) - MOST_SHOWN} more kinds"
    if len(found) > 1 and not any(each > 0 for each in saved.values()):
        yield "    Only together: one that stays keeps the whole text in UCS-2."


def said_of_replacements(body: str, replaced: list[Replacement]) -> list[str]:
    if not replaced:
        return ["Nothing is replaced: that would save no segment, or there is nothing to replace."]
    before, after = measure(body).segments, measure(with_replacements(body, replaced)).segments
    lines = [f"  {in_words(kind, times)}" for kind, times in counts(replaced).items()]
    return [f"Replaced, {counted(before)} before and {after} after:", *lines]


def counts(replacements: Iterable[Replacement]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for each in replacements:
        found[each.found, each.by] = found.get((each.found, each.by), 0) + 1
    return found


def in_words(kind: tuple[str, str], times: int) -> str:
    found, by = kind
    what = " and ".join(named(character) for character in found)
    how_often = "once" if times == 1 else f"{times} times"
    return f"{shown(found)} -> {shown(by) or 'nothing'}  {what}, {how_often}"


def price_in_words(price: ListPrice, segments: int) -> str:
    if price.usd is None:
        return f"To {price.name}: no price is known here. It is not free."
    each = "" if segments == 1 else f" ({segments} x ${price.usd})"
    return f"To {price.name}: ${price.usd * segments}{each}, Twilio's list price of {price.as_of or 'an unknown day'}."


def as_data(body: str, replaced: list[Replacement], prices: Sequence[ListPrice]) -> dict[str, object]:
    size = measure(body)
    forces = [(at, each) for at, each in enumerate(body) if encoding_of(each) is Encoding.UCS_2]
    return {
        "body": body,
        "replaced": [asdict(each) for each in replaced],
        "encoding": size.encoding,
        "characters": len(body),
        "units": size.units,
        "segments": size.segments,
        "too_long": len(body) > LONGEST_BODY,
        "parts": [{"text": part, "units": units_in(part, size.encoding)} for part in split(body)],
        "forces_ucs_2": [{"at": at, "character": each, "name": named(each)} for at, each in forces],
        "fewer": [asdict(way) for way in ways_to_fewer(body)],
        "costs": [
            {
                "to": price.country,
                "usd": money(price.usd, size.segments),
                "usd_per_segment": money(price.usd, 1),
                "list_price_of": price.as_of,
            }
            for price in prices
        ],
    }


def money(usd: Decimal | None, segments: int) -> str | None:
    return None if usd is None else str(usd * segments)


def counted(segments: int) -> str:
    return "1 segment" if segments == 1 else f"{segments} segments"


def at_places(where: list[int]) -> str:
    more = f" and {len(where) - MOST_SHOWN} more" if len(where) > MOST_SHOWN else ""
    return f"at {', '.join(map(str, where[:MOST_SHOWN]))}{more}"


def named(character: str) -> str:
    return f"U+{ord(character):04X} {name(character, 'without a name')}"


def shown(text: str) -> str:
    """On one line, with what nobody sees made visible."""
    return "".join(SIGNS.get(each) or (f"<{ord(each):04X}>" if is_unseen(each) else each) for each in text)


def is_unseen(character: str) -> bool:
    return category(character) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"} or (
        category(character) == "Zs" and character != " "
    )


SIGNS = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
