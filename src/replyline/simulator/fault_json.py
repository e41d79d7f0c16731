"""Trouble as JSON, both ways: what goes wrong by its name, what differs from that, and where it strikes.

{"request": "throttled", "retry_after": 3, "to": "+12125550123", "times": 2}
{"message": "undelivered", "error_code": 30003, "share": 0.05, "seed": 7}
{"webhook": "late", "seconds": 4, "status": "delivered"}
"""

from dataclasses import fields, replace
from typing import Any

from replyline.simulator import mishaps
from replyline.simulator.account import Status
from replyline.simulator.json_forms import BadJson, Form, check
from replyline.simulator.mishaps import Ending, Fate, Fault, WebhookFault
from replyline.simulator.trouble import Standing, Trouble

Json = dict[str, Any]

NAMES: dict[str, dict[str, Any]] = {
    "request": {
        "throttled": mishaps.THROTTLED,
        "broken": mishaps.BROKEN,
        "unavailable": mishaps.UNAVAILABLE,
        "refused": Fault(status=400, code=0),
        "slow": Fault(ending=Ending.SLOW),
        "dropped": mishaps.DROPPED,
        "silent": mishaps.SILENT,
    },
    "message": {
        str(status): Fate(status=status)
        for status in (Status.DELIVERED, Status.SENT, Status.UNDELIVERED, Status.FAILED)
    },
    "webhook": {
        "lost": WebhookFault.LOST,
        "twice": WebhookFault.TWICE,
        "twice_at_once": WebhookFault.TWICE_AT_ONCE,
        "late": WebhookFault(),
        "overtaken": WebhookFault.OVERTAKEN,
    },
}
NEEDED = {"refused": "code", "slow": "seconds", "late": "seconds"}
# What may be said besides the name: the place of the record, and its type.
DETAILS: dict[str, dict[str, tuple[str, type]]] = {
    "request": {
        "after_accepting": ("is_done", bool),
        "seconds": ("seconds", float),
        "http_status": ("status", int),
        "code": ("code", int),
        "retry_after": ("retry_after", int),
    },
    "message": {"error_code": ("error_code", int)},
    "webhook": {"seconds": ("seconds", float), "copies": ("copies", int), "at_once": ("at_once", bool)},
}
PLACES: dict[str, tuple[str, type]] = {
    "times": ("times", int),
    "lasts": ("lasts", float),
    "share": ("share", float),
    "seed": ("seed", int),
    "to": ("to", str),
    "from": ("sender", str),
    "path": ("path", str),
    "method": ("method", str),
    "status": ("status", str),
    "inbound": ("is_inbound", bool),
}
KINDS = {Fault: "request", Fate: "message", WebhookFault: "webhook"}


def read_trouble(given: object) -> Trouble[Any]:
    """Trouble from its JSON. Raises `BadJson` or `BadTrouble`, with a sentence."""
    kind = kind_of(given)
    form = check(given, types(kind, PLACES), what="A fault")
    places = {place: form[name] for name, (place, _) in PLACES.items() if form.get(name) is not None}
    return Trouble(what=what_of(kind, form), **places)


def read_chances(given: object) -> tuple[int, dict[str, dict[Any, float]]]:
    """The seed, and what goes wrong by kind with its probability. Raises `BadJson`."""
    form = check(given, {"seed": int, "requests": list, "messages": list, "webhooks": list}, what="Chance")
    if form.get("seed") is None:
        raise BadJson("Chance needs a seed, so that it can be played again.")
    return form["seed"], {
        f"{kind}s": dict(read_chance(each, kind) for each in form.get(f"{kind}s") or []) for kind in NAMES
    }


def read_chance(given: object, kind: str) -> tuple[Any, float]:
    if kind_of(given) != kind:
        raise BadJson(f"Among '{kind}s' each fault has a '{kind}'.")
    form = check(given, types(kind, {"share": ("share", float)}), what="A fault")
    if form.get("share") is None:
        raise BadJson("Each fault needs its 'share', a probability from 0 to 1.")
    return what_of(kind, form), form["share"]


def standing_json(standing: Standing[Any]) -> Json:
    """Trouble that stands, as it could be given again, with its id and what is left of it."""
    trouble, default = standing.trouble, {each.name: each.default for each in fields(Trouble)}
    places = {name: getattr(trouble, place) for name, (place, _) in PLACES.items()}
    said = {name: value for name, value in places.items() if value != default[PLACES[name][0]]}
    left = {"left": standing.left} if standing.left is not None else {}
    until = {"until": standing.until.isoformat()} if standing.until is not None else {}
    return {"id": standing.id} | what_json(trouble.what) | said | left | until


def what_json(what: Any) -> Json:
    """By the name that says most of it."""
    kind = KINDS[type(what)]
    bases = NAMES[kind] | ({"refused": replace(Fault.refused(what.code), code=0)} if kind == "request" else {})
    said = {
        name: {
            detail: getattr(what, place) for detail, (place, _) in DETAILS[kind].items() if differs(what, base, place)
        }
        for name, base in bases.items()
        if not any(differs(what, base, place) for place in unsaid(kind, what))
    }
    name = min(said, key=lambda each: (len(said[each]), each != "refused"))
    return {kind: name} | said[name]


def what_of(kind: str, form: Form) -> Any:
    name = form[kind]
    if name not in NAMES[kind]:
        raise BadJson(f"No {kind} goes wrong as '{name}'; choose among {', '.join(NAMES[kind])}.")
    if form.get(NEEDED.get(name, kind)) is None:
        raise BadJson(f"The {kind} that is '{name}' needs its '{NEEDED[name]}'.")
    base = Fault.refused(form["code"]) if name == "refused" else NAMES[kind][name]
    details = {place: form[detail] for detail, (place, _) in DETAILS[kind].items() if form.get(detail) is not None}
    if any(value < 0 for value in details.values()):
        raise BadJson("No detail of a fault is less than nothing.")
    if not 400 <= details.get("status", 500) <= 599:
        raise BadJson("An 'http_status' that says no is from 400 to 599.")
    return replace(base, **details)


def kind_of(given: object) -> str:
    kinds = [kind for kind in NAMES if isinstance(given, dict) and kind in given]
    if len(kinds) != 1:
        raise BadJson("A fault is a JSON object with one of 'request', 'message' and 'webhook'.")
    return kinds[0]


def types(kind: str, places: dict[str, tuple[str, type]]) -> dict[str, type]:
    return {kind: str} | {name: each for name, (_, each) in {**DETAILS[kind], **places}.items()}


def unsaid(kind: str, what: Any) -> list[str]:
    """The places that the name alone tells."""
    told = {place for place, _ in DETAILS[kind].values()}
    return [each.name for each in fields(what) if each.name not in told]


def differs(what: Any, base: Any, place: str) -> bool:
    return bool(getattr(what, place) != getattr(base, place))
