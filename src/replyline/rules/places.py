"""Where the person behind a number may be. Every place that something points to counts: people move, numbers stay."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import phonenumbers

from replyline.phone_numbers import TOLL_FREE, country_of
from replyline.rules.rulebook import UNKNOWN, Rulebook, Spot

# Territories with a country code of their own, which the table of states knows too. The others have no row there, and
# the federal floor alone.
TERRITORIES = frozenset({"PR", "GU", "VI", "AS", "MP"})
# What an unknown place in the US may be: Guam lies a day ahead of the states, and no hour suits both.
MOST_NAMED = 4  # zones; a toll-free number has thirty
NOT_A_STATE = frozenset({"PR", "GU", "VI", "AS", "MP", "UM", "FM", "MH", "PW"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of a person beside their number."""

    zone: str | None = None  # they told it
    postal_code: str | None = None
    state: str | None = None  # US, two letters


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where somebody may be: a rule has to allow a text in all of these zones and states."""

    country: str | None
    zones: frozenset[str]
    states: frozenset[str] = frozenset()
    signals: tuple[str, ...] = ()  # what pointed there: zone, zip code, state, area code, prefix, line

    def in_words(self) -> str:
        """For the operator."""
        where = ", ".join(sorted(self.states)) or self.country or "an unknown country"
        zones = ", ".join(sorted(self.zones)) if len(self.zones) <= MOST_NAMED else f"{len(self.zones)} time zones"
        return f"{where} ({zones}), by {' and '.join(self.signals) or 'nothing'}"


NOTHING = Known()


@lru_cache(maxsize=16_384)
def place_of(phone: str, known: Known, book: Rulebook, line_zone: str) -> Place:
    """Where this number may be, by everything that points somewhere (compliance.md §4)."""
    country = country_of(phone)
    if country == "US" or country in TERRITORIES or (country is None and TOLL_FREE.fullmatch(phone)):
        return place_in_us(phone, known, book, country)
    if known.zone is not None:
        return Place(country=country, zones=frozenset({known.zone}), signals=("zone",))
    if zones := zones_by_prefix(phone, book):
        return Place(country=country, zones=zones, signals=("prefix",))
    if country is not None and (zones := zones_of_country().get(country, frozenset())):
        return Place(country=country, zones=zones, signals=("country",))
    return Place(country=country, zones=frozenset({line_zone}), signals=("line",))


def place_in_us(phone: str, known: Known, book: Rulebook, country: str | None) -> Place:
    found = signals_of(phone, known, book)
    states = frozenset[str]().union(*(spot.states for spot in found.values()))
    zones = frozenset[str]().union(*(spot.zones for spot in found.values()))
    if country in TERRITORIES and country is not None:
        states |= {country}
    if not states or not zones:
        # Toll-free and personal numbers are nowhere: what suits every state suits them.
        everywhere = frozenset[str]().union(
            *(zones for state, zones in book.zones_of_state.items() if state not in NOT_A_STATE)
        )
        states, zones = states or frozenset({UNKNOWN}), zones or everywhere
    return Place(country=country or "US", zones=zones, states=states, signals=tuple(found))


def signals_of(phone: str, known: Known, book: Rulebook) -> Mapping[str, Spot]:
    """What points somewhere, the surest first."""
    found: dict[str, Spot] = {}
    if known.zone is not None:
        found["zone"] = Spot(states=frozenset(), zones=frozenset({known.zone}))
    if known.postal_code is not None and (spot := book.zip_codes.get(known.postal_code.strip()[:3])):
        found["zip code"] = spot
    if known.state is not None and (zones := book.zones_of_state.get(known.state)):
        found["state"] = Spot(states=frozenset({known.state}), zones=zones)
    if spot := book.area_codes.get(phone[2:5]):
        found["area code"] = spot
    return found


def zones_by_prefix(phone: str, book: Rulebook) -> frozenset[str]:
    """The zones of a number outside the US: of its area code, or of its prefix as the library has it."""
    if phone.startswith("+1") and (spot := book.area_codes.get(phone[2:5])):
        return spot.zones
    from phonenumbers import timezone

    try:
        found = frozenset(timezone.time_zones_for_number(phonenumbers.parse(phone)))
    except phonenumbers.NumberParseException:
        return frozenset()
    return found - {timezone.UNKNOWN_TIMEZONE}


@cache
def zones_of_country() -> Mapping[str, frozenset[str]]:
    """By ISO code, from the tz database's own table."""
    found: dict[str, set[str]] = {}
    for row in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8").splitlines():
        if not row.startswith("#"):
            country, _, zone = row.split("\t")[:3]
            found.setdefault(country, set()).add(zone)
    return {country: frozenset(zones) for country, zones in found.items()}
