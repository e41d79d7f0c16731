"""Write src/replyline/rules/data/area_codes.csv and zip_codes.csv anew.

Which states and time zones an area code or the first three digits of a ZIP code may mean, worked out once from libraries
that are too large for a server: the geocoder of `phonenumbers` takes 98 MB. Run it where these are installed:
    uv run --with phonenumbers --with zipcodes tools/write_places.py
"""

import csv
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from zoneinfo import available_timezones

import phonenumbers
import zipcodes  # type: ignore[import-not-found]
from phonenumbers import geocoder, timezone

DATA = Path(__file__).parent.parent / "src/replyline/rules/data"
OF_NO_PLACE = {"500", "521", "522", "523", "524", "525", "526", "527", "528", "529", "533", "544", "566", "577", "588"}
TOLL_FREE = {"800", "833", "844", "855", "866", "877", "888", "900"}
# The libraries give whole area codes to one zone that their exchanges share with another, and split codes' overlays only
# one of their parent's zones (compliance.md §12). All zones count.
ALSO_IN = {"219": "America/Chicago", "850": "America/Chicago"}
OVERLAY_OF = {"364": "270", "930": "812", "458": "541", "448": "850"}
NAMES = {"Washington State": "WA", "Washington D.C.": "DC", "New York": "NY"}
MOST_ZONES = 8
NOWHERE = {"AA", "AE", "AP"}  # military post, wherever in the world


def main() -> None:
    places = area_codes()
    for code, parent in OVERLAY_OF.items():
        places[code] = tuple(mine | theirs for mine, theirs in zip(places[code], places[parent], strict=True))  # type: ignore[assignment]
    for code, zone in ALSO_IN.items():
        places[code][2].add(zone)
    write(
        DATA / "area_codes.csv",
        ["area_code", "countries", "states", "zones"],
        [[code, *(";".join(sorted(each)) for each in places[code])] for code in sorted(places)],
        f"phonenumbers {version('phonenumbers')}",
    )
    prefixes = zip_prefixes()
    write(
        DATA / "zip_codes.csv",
        ["prefix", "states", "zones"],
        [[prefix, *(";".join(sorted(each)) for each in prefixes[prefix])] for prefix in sorted(prefixes)],
        f"zipcodes {version('zipcodes')}",
    )


def area_codes() -> dict[str, tuple[set[str], set[str], set[str]]]:
    """Countries, states and zones of each area code of the North American plan."""
    found: dict[str, tuple[set[str], set[str], set[str]]] = {}
    state_of = {name: code for code, name in STATES.items()} | NAMES
    for npa in map(str, range(200, 1000)):
        if npa in OF_NO_PLACE | TOLL_FREE:
            continue
        countries, states, zones = set(), set(), set()
        for exchange in range(200, 1000):
            number = phonenumbers.parse(f"+1{npa}{exchange}1234")
            if not phonenumbers.is_valid_number(number):
                continue
            country = phonenumbers.region_code_for_number(number)
            words = geocoder.description_for_number(number, "en")
            countries.add(country)
            some = timezone.time_zones_for_number(number)
            if len(some) < MOST_ZONES:  # more mean that the library cannot tell
                zones.update(some)
            if country == "US":
                states.update(states_in(words, state_of))
        if zones:
            found[npa] = (countries, states, zones)
    return found


def states_in(words: str, state_of: dict[str, str]) -> set[str]:
    """ "Portland, OR", "Oregon" or "New Jersey/New York"."""
    last = words.rpartition(", ")[2]
    return {
        last if last in STATES else state_of[part] for part in last.split("/") if last in STATES or part in state_of
    }


def zip_prefixes() -> dict[str, tuple[set[str], set[str]]]:
    found: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for each in zipcodes.list_all():
        if each["state"] not in NOWHERE and each["timezone"] in available_timezones():
            found[each["zip_code"][:3]][0].add(each["state"])
            found[each["zip_code"][:3]][1].add(each["timezone"])
    return found


def write(path: Path, names: list[str], rows: list[list[str]], source: str) -> None:
    with path.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow([*names, "source"])
        lines.writerows([*row, source] for row in rows)
    print(f"Wrote {len(rows)} rows to {path}")


STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "Washington D.C.", "FL": "Florida", "GA": "Georgia", "HI": "Hawaii",
    "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky",
    "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota",
    "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota",
    "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island",
    "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont",
    "VA": "Virginia", "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
}  # fmt: skip

if __name__ == "__main__":
    main()
