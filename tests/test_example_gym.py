"""The example a stranger reads first: short, public, and open when people want to come."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from replyline.db import open_db
from replyline.examples import gym
from replyline.plugins.context import ActionContext, Contact
from replyline.plugins.endings import AskAgain, GiveUp, Pause


@pytest.mark.parametrize("service", ["yoga", "boxing", "personal training"])
def test_six_and_seven_in_the_evening_work_on_every_day(service):
    timetable, zone = gym.line.plugins[0].timetable, ZoneInfo(gym.line.timezone)
    for day in (date(2026, 11, 23) + timedelta(days=n) for n in range(7)):
        starts = timetable.starts_on(day, timetable.services[service], zone)
        evening = {datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(UTC) for hour in (18, 19)}
        assert evening <= set(starts)


def test_it_is_short_enough_to_read():
    assert len(Path(gym.__file__).read_text().splitlines()) < 80


@pytest.mark.parametrize(
    ("months", "decision", "ending"), [(9, None, AskAgain), (2, None, Pause), (2, False, GiveUp), (2, True, None)]
)
async def test_a_freeze_is_the_managers_to_decide(clock, tmp_path, months, decision, ending):
    db = open_db(f"sqlite:///{tmp_path}/unused.db")
    ctx = ActionContext(
        contact=Contact(id="con_ana", phone="+13125550101"),
        line=gym.line,
        clock=clock,
        db=db,
        turn="trn",
        conversation="cnv",
        once="k",
        decision=decision,
    )
    asked = gym.line.actions["freeze_membership"].call(ctx, f'{{"months": {months}}}')
    try:
        if ending is None:
            assert "frozen for 2 months" in await asked
        else:
            with pytest.raises(ending):
                await asked
    finally:
        await db.close()
