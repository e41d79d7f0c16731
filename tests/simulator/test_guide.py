"""docs/guide/simulator.md shows what is true."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount, Route

import replyline.simulator
from replyline.clock import FakeClock
from replyline.simulator import Fate, Fault, SimulatedTwilio
from replyline.simulator.control import NUMBER, PACING, POLICY, SERVICE
from replyline.simulator.fault_json import DETAILS, PLACES, read_chances, read_trouble, standing_json

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "simulator.md").read_text(encoding="utf-8")
FAULTS = re.findall(r"^\| [^|]+ \| `(\w+\(.*\))` \| `(\{.*\})` \|$", GUIDE, re.MULTILINE)
NAMES = {name: getattr(replyline.simulator, name) for name in replyline.simulator.__all__} | {"replace": replace}


@pytest.mark.parametrize(("python", "said"), FAULTS)
def test_python_and_json_say_the_same(python: str, said: str, clock: FakeClock) -> None:
    twilio = SimulatedTwilio(clock=clock)
    standing = eval(f"faults.{python}", NAMES | {"faults": twilio.faults})

    assert without_state(standing_json(standing)) == json.loads(said)
    assert read_trouble(json.loads(said)) == standing.trouble


def test_the_guide_shows_every_fault() -> None:
    shown = {each for python, _ in FAULTS for each in re.findall(r"\b[A-Z]\w+(?:\.\w+)?", python)}
    faults = {name for name, each in NAMES.items() if isinstance(each, Fault | Fate)}
    webhooks = {f"WebhookFault.{name}" for name in ("LOST", "TWICE", "TWICE_AT_ONCE", "OVERTAKEN", "late")}

    assert faults | webhooks | {"Fault.slow", "Fault.refused"} <= shown


def test_the_guides_chances_can_be_given_in_python_and_in_json() -> None:
    [example] = re.findall(r"^twilio\.faults\.at_random\(.*?^\)", GUIDE, re.MULTILINE | re.DOTALL)
    twilio = SimulatedTwilio()
    exec(example, NAMES | {"twilio": twilio})
    [chance] = re.findall(r"at-random` \| `(\{.*\})`", GUIDE)

    assert len(twilio.faults.standing()) == 8
    assert read_chances(json.loads(chance))[0] == 7


def test_the_guide_names_every_path_of_the_control_api() -> None:
    twilio = SimulatedTwilio()
    [mount] = [each for each in twilio.app.routes if isinstance(each, Mount)]
    routes = [each for each in mount.routes if isinstance(each, Route)]
    methods = {(method, f"/control{each.path}") for each in routes for method in each.methods or () if method != "HEAD"}
    named = set(re.findall(r"(GET|POST|PATCH|DELETE) (/control/[\w{}/-]+)", GUIDE.replace("{number}", "{phone}")))

    assert named == methods


def test_the_guide_names_everything_that_the_control_api_takes() -> None:
    details = {detail for each in DETAILS.values() for detail in each}
    names = details | {*PLACES, *NUMBER, *SERVICE, *POLICY, *PACING}

    assert {name for name in names if not re.search(rf"[`\"( ]{name}\b", GUIDE)} == set()


def without_state(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in {"id", "left", "until"}}
