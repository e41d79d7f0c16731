"""The rules that differ by place, as dated data: shipped with the package, and replaced by files of the same names."""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from replyline.errors import ReplylineError
from replyline.hours import Cap, Hours, calendars, cap_in_words, days_in, excluded, hours_in_words

Rows = Sequence[Mapping[str, str]]
Found = TypeVar("Found")

SHIPPED = "2026-11-23"  # the day the shipped files were last compared with their sources
FEDERAL, UNKNOWN = "FED", "UNKNOWN"
STATE_HOURS, COUNTRIES, COUNTRY_CAPS = "us_state_quiet_hours.csv", "countries.csv", "country_caps.csv"
AREA_CODES, ZIP_CODES, KEYWORDS = "area_codes.csv", "zip_codes.csv", "keywords.csv"
FILES = (STATE_HOURS, COUNTRIES, COUNTRY_CAPS, AREA_CODES, ZIP_CODES, KEYWORDS)


class BadRules(ReplylineError):
    """A file of rules cannot be read, and where."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """Where an area code or a ZIP code may be."""

    countries: frozenset[str] = frozenset()
    states: frozenset[str]
    zones: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Country:
    """What sending to a country takes. Empty words mean that no source was found."""

    iso: str
    name: str
    hours: tuple[Hours, ...]
    alphanumeric: str  # yes, no, registration_required
    registration: str  # none, recommended, required
    two_way: str  # yes, no
    notes: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rulebook:
    """All of it, with a version that names the very bytes it was read from."""

    version: str
    state_hours: Mapping[str, tuple[Hours, ...]]
    countries: Mapping[str, Country]
    caps: Mapping[str, tuple[Cap, ...]]  # by state, and by country
    area_codes: Mapping[str, Spot]
    zip_codes: Mapping[str, Spot]
    keywords: tuple[Mapping[str, str], ...]
    zones_of_state: Mapping[str, frozenset[str]]


@cache
def read_rulebook(folder: Path | None = None) -> Rulebook:
    """The shipped rules, with those files of `folder` in their place that it has. Raises `BadRules`."""
    if folder is not None and not folder.is_dir():
        raise BadRules(f"REPLYLINE_RULES_DIR names {folder}, which is no folder.")
    written = {name: text_of(name, folder) for name in FILES}
    bytes_read = "\0".join(written[name] for name in FILES).encode()
    rows = {name: list(csv.DictReader(written[name].splitlines())) for name in FILES}
    codes, prefixes = checked(AREA_CODES, rows, area_codes), checked(ZIP_CODES, rows, zip_codes)
    return Rulebook(
        version=f"{SHIPPED if folder is None else folder.name}+{hashlib.sha256(bytes_read).hexdigest()[:8]}",
        state_hours=checked(STATE_HOURS, rows, state_hours),
        countries=checked(COUNTRIES, rows, countries),
        caps=checked(STATE_HOURS, rows, state_caps) | checked(COUNTRY_CAPS, rows, country_caps),
        area_codes=codes,
        zip_codes=prefixes,
        keywords=tuple(rows[KEYWORDS]),
        zones_of_state=zones_of_states([*codes.values(), *prefixes.values()]),
    )


def text_of(name: str, folder: Path | None) -> str:
    place: Traversable = files("replyline.rules").joinpath("data", name)
    if folder is not None and (folder / name).exists():
        place = folder / name
    return place.read_text(encoding="utf-8")


def checked(name: str, rows: Mapping[str, Rows], read: Callable[[Rows], Found]) -> Found:
    try:
        return read(rows[name])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadRules(f"{name} cannot be used as rules: {type(error).__name__} {error}.") from error


def state_hours(rows: Rows) -> dict[str, tuple[Hours, ...]]:
    """By state; FED is the floor under every state, UNKNOWN what satisfies them all."""
    found: dict[str, list[Hours]] = defaultdict(list)
    for row in rows:
        found[row["state"]].append(
            Hours(
                start=time.fromisoformat(row["start"]),
                end=time.fromisoformat(row["end"]),
                days=days_in(row["applies_to"].partition(";")[0].removeprefix("days="))
                - excluded(row["days_excluded"]),
                not_on=calendars(row["days_excluded"], f"US-{row['state']}"),
                since=date.fromisoformat(row["effective_date"][:10]) if row["effective_date"] else None,
            )
        )
    # A state we cannot tell may be any that bars holidays, so all their calendars count.
    barred = frozenset[str]().union(
        *(each.not_on for state, hours in found.items() for each in hours if not state.startswith(UNKNOWN))
    )
    return {
        state: tuple(
            replace(each, not_on=barred) if each.not_on and state.startswith(UNKNOWN) else each for each in hours
        )
        for state, hours in found.items()
    }


def state_caps(rows: Rows) -> dict[str, tuple[Cap, ...]]:
    return {row["state"]: (cap_in_words(row["frequency_cap"], row["state"]),) for row in rows if row["frequency_cap"]}


def country_caps(rows: Rows) -> dict[str, tuple[Cap, ...]]:
    return {
        row["country"]: (Cap(texts=int(row["texts"]), within=timedelta(hours=int(row["hours"])), by=row["country"]),)
        for row in rows
    }


def countries(rows: Rows) -> dict[str, Country]:
    return {
        row["iso2"]: Country(
            iso=row["iso2"],
            name=row["name"],
            hours=hours_in_words(row["promo_hours_local"], row["days_excluded"], row["iso2"]),
            alphanumeric=row["alphanumeric_sender"],
            registration=row["sender_registration"],
            two_way=row["two_way_supported"],
            notes=row["notes"],
        )
        for row in rows
    }


def area_codes(rows: Rows) -> dict[str, Spot]:
    return {
        row["area_code"]: Spot(
            countries=several(row["countries"]), states=several(row["states"]), zones=several(row["zones"])
        )
        for row in rows
    }


def zip_codes(rows: Rows) -> dict[str, Spot]:
    return {row["prefix"]: Spot(states=several(row["states"]), zones=several(row["zones"])) for row in rows}


def several(written: str) -> frozenset[str]:
    return frozenset(written.split(";")) - {""}


def zones_of_states(spots: Iterable[Spot]) -> dict[str, frozenset[str]]:
    """The zones of each state, from the places that lie in that state alone."""
    found: dict[str, set[str]] = defaultdict(set)
    for spot in spots:
        if len(spot.states) == 1:
            found[next(iter(spot.states))] |= spot.zones
    return {state: frozenset(zones) for state, zones in found.items()}
