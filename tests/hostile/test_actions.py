"""What the model hands to the example gym's actions: any JSON at all, and dates at the ends of time."""

import json
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replyline.db.migrate import migrate
from replyline.desk import migrations_of
from replyline.examples.gym import line
from replyline.plugins.context import ActionContext, Contact
from replyline.plugins.endings import Ending
from tests.hostile.people import ODD
from tests.support.cast import ANA

CALLS = count(1)
TIMES = ("2026-03-04T18:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "9999-12-31T23:59:59-12:00", "2026-03-08T02:30:00",
         "0001-01-01T00:00:00+14:00", "18:00", "tomorrow", 1e300, -1, 253402300800, "2026-02-30T00:00:00", None)  # fmt: skip
odd = st.sampled_from(ODD) | st.text(max_size=10) | st.text(st.characters(categories=["Cs"]), max_size=2)
values = (
    st.sampled_from(TIMES)
    | odd
    | st.sampled_from(["yoga", "A1", "A99999999999999999999", "", "yoga " * 1000])
    | st.integers()
    | st.none()
)


@pytest.fixture
async def gym(db, database_url):
    migrate(database_url, extra=migrations_of(line))
    return db


@pytest.mark.parametrize("name", line.actions)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(given={"service": "yoga", "starts_at": "2026-03-04T18:00:00", "notes": "a\x00b\ud83d"})
@given(given=st.data())
async def test_an_action_takes_any_arguments_or_says_what_was_wrong(gym, clock, name, given: Any):
    action = line.actions[name]
    if not isinstance(given, dict):
        given = given.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(action.parameters["properties"], values)))
    context = ActionContext(
        contact=Contact(id="con_1", phone=ANA, name="Ana"), line=line, clock=clock, db=gym, turn="trn_1",
        conversation="cnv_1", once=f"call-{next(CALLS)}",
    )  # fmt: skip
    with suppress(Ending):
        assert isinstance(await action.call(context, json.dumps(given)), str)
