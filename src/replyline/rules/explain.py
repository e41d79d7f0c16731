"""A decision of the gate in words, for whoever has to answer for it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

# What each of our rules asks, and where that comes from.
ASKS = {
    "opted_out": "have they opted out? (47 CFR 64.1200(a)(10)-(12))",
    "consent": "have they agreed to be texted unasked? (47 CFR 64.1200(f)(9); CTIA)",
    "country": "does the line do business in that country?",
    "registration": "is the sender registered where the text goes?",
    "frequency_cap": "how much advertising have they had lately? (states, countries, the line)",
    "quiet_hours": "is it a decent hour wherever they may be? (47 CFR 64.1200(c)(1); states; countries; the line)",
    "budget": "is there money left for it?",
    "sudden_jump": "do far more texts leave than usual: to that country, to such numbers, to this person?",
}


def in_words(decision: Mapping[str, Any]) -> Iterator[str]:
    """One decision: its verdict, the facts, and every rule's word. `decision` is a row of `decisions`."""
    verdict, why = decision["verdict"], decision["why"]
    if verdict == "wait":
        yield f"It waits until {decision['until']:%Y-%m-%d %H:%M} UTC: {why}."
    elif verdict == "refuse":
        yield f"It never leaves: {why}."
    else:
        yield "It may leave."
    yield f"  Decided {decision['at']:%Y-%m-%d %H:%M:%S} UTC by the rules {decision['rules_version']}."
    yield from facts_in_words(decision["facts"], decision["at"])
    for name, said, *more in decision["said"]:
        yield f"  {name}: {ASKS.get(name, 'a rule of the line')} {answer(said, more)}"


def answer(said: str, more: Sequence[str]) -> str:
    if said == "send":
        return "Fine."
    if said == "wait":
        return f"Wait until {datetime.fromisoformat(more[1]):%Y-%m-%d %H:%M} UTC: {more[0]}."
    return f"No: {more[0]}."


def facts_in_words(facts: Mapping[str, Any], at: datetime) -> Iterator[str]:
    program = f" of the program {facts['program']}" if facts.get("program") else ""
    yield f"  A {facts['purpose'].replace('_', ' ')} text{program} to {facts.get('country') or 'an unknown country'}."
    zones = facts.get("zones", [])
    local = ", ".join(f"{at.astimezone(ZoneInfo(zone)):%a %H:%M} in {zone}" for zone in zones[:4])
    more = f" and {len(zones) - 4} zones more" if len(zones) > 4 else ""
    told = " and ".join(facts.get("told by", [])) or "nothing"
    yield f"  There it was {local}{more}; told by their {told}."
    if facts.get("states"):
        yield f"  Rules of {', '.join(facts['states'])} apply."
    if facts.get("opted out"):
        yield f"  They had opted out: {facts['opted out']}."
    if facts.get("needs", "none") != "none":
        held = ", ".join(facts.get("consents", [])) or "none"
        yield f"  The line asks for {facts['needs'].replace('_', ' ')} consent; the ledger has {held}."
    if facts.get("advertising sent"):
        yield f"  Advertising before this: {len(facts['advertising sent'])} in the last month."
