import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.turns.text_triggers import Trigger, find_triggers, match_action

YOGA = {"service": "yoga", "starts_at": "2026-11-24T18:00"}
ACTIONS = ["schedule_appointment", "cancel_appointment", "list_appointments", "list_services", "info"]


@pytest.mark.parametrize(
    ("written", "name", "arguments"),
    [
        ("[ACTION:SCHEDULE service=yoga starts_at=2026-11-24T18:00]", "SCHEDULE", YOGA),
        ('[ACTION:SCHEDULE service="yoga", starts_at="2026-11-24T18:00"]', "SCHEDULE", YOGA),
        ('[ACTION:SCHEDULE {"service": "yoga", "starts_at": "2026-11-24T18:00"}]', "SCHEDULE", YOGA),
        ('[ACTION: schedule\n{"service": "yoga",\n "starts_at": "2026-11-24T18:00"}\n]', "schedule", YOGA),
        ("[action:schedule_appointment service=yoga]", "schedule_appointment", {"service": "yoga"}),
        ("[ACTION:LIST]", "LIST", {}),
        ("[ ACTION : LIST ]", "LIST", {}),
        ("**[ACTION:LIST]**", "LIST", {}),
        ("[**ACTION**:LIST]", "LIST", {}),
        ("`[ACTION:LIST]`", "LIST", {}),
        ("\\[ACTION:LIST\\]", None, None),
        ("[ACTION:BOOK service=hot yoga guests=2]", "BOOK", {"service": "hot yoga", "guests": "2"}),
        ("[ACTION:NOTE text='no stairs']", "NOTE", {"text": "no stairs"}),
        ('[ACTION:NOTE text="see [1]"]', "NOTE", {"text": "see [1]"}),
        ("[ACTION:NOTE text=Ana's knee]", "NOTE", {"text": "Ana's knee"}),
        ('[ACTION:BOOK {"guests": 2, "vip": true, "notes": null, "days": [1, 2]}]', "BOOK",
         {"guests": "2", "vip": "true", "days": "[1, 2]"}),
        ("[ACTION:BOOK service=]", "BOOK", {"service": ""}),
    ],
)  # fmt: skip
def test_a_trigger_is_read_however_a_model_writes_it(written, name, arguments):
    expected = () if name is None else (Trigger(name=name, arguments=arguments),)
    assert find_triggers(written)[1] == expected


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("Sure! [ACTION:LIST] One moment.", "Sure! One moment."),
        ("Booked.\n[ACTION:SCHEDULE service=yoga]", "Booked."),
        ("Sure **[ACTION:LIST]** thing", "Sure thing"),
        ("**Sure [ACTION:LIST]**", "**Sure**"),
        ("`[ACTION:LIST]`", ""),
        ("[ACTION:LIST]\n\nHere they are", "Here they are"),
        ("[ACTION:LIST] and [ACTION:INFO]", "and"),
        ("No triggers [here], right? ", "No triggers [here], right? "),
        ("Malformed [ACTION:SCHEDULE yoga tomorrow] here", "Malformed here"),
        ("Malformed [ACTION:SCHEDULE {'service': 'yoga'}] here", "Malformed here"),
        ('Malformed [ACTION:SCHEDULE {"a": [1}] here', "Malformed here"),
        ("Cut off [ACTION:SCHEDULE service=yo", "Cut off"),
        ("Cut off [ACTION:\nnext line", "Cut off"),
        ("Nested [ACT[ACTION:LIST]ION:LIST] one", "Nested one"),
    ],
)
def test_no_trigger_reaches_the_customer(reply, kept):
    assert find_triggers(reply)[0] == kept


def test_triggers_come_in_their_order():
    _, triggers = find_triggers("[ACTION:CANCEL id=7] then [ACTION:SCHEDULE service=yoga] and [ACTION:??]")
    assert [trigger.name for trigger in triggers] == ["CANCEL", "SCHEDULE"]


@pytest.mark.parametrize(
    ("trigger", "action"),
    [
        ("SCHEDULE", "schedule_appointment"),
        ("schedule_appointment", "schedule_appointment"),
        ("Schedule-Appointment", "schedule_appointment"),
        ("INFO", "info"),
        ("LIST", None),  # two actions begin with it
        ("LIST_SERVICES", "list_services"),
        ("appointment", None),
        ("", None),
    ],
)
def test_a_trigger_finds_its_action(trigger, action):
    assert match_action(trigger, ACTIONS) == action


pieces = st.sampled_from(
    ["[", "]", "ACTION", "action", ":", "[ACTION:", "[ACT", "ION:", "{", "}", '"', "'", "=", "a", "\n", " ", "*", "`",
     "\u200b", "\\", '{"a":', "[ACTION:LIST]", "{}", "1"]
)  # fmt: skip


@given(st.lists(pieces, max_size=30).map("".join))
def test_whatever_a_model_writes_no_trigger_is_left(reply):
    kept, triggers = find_triggers(reply)
    assert not re.search(r"\[\s*ACTION\s*:", kept, re.IGNORECASE)
    assert find_triggers(kept)[0] == kept
    assert all(trigger.name for trigger in triggers)
