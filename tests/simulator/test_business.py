"""What the phone page does in the business's name."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from replyline.simulator.business import NIGHT, where_it_is_night

DAY = datetime(2026, 11, 25, tzinfo=UTC)
SUMMER = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize("day", [DAY, SUMMER])
def test_it_is_night_somewhere_at_any_time(day):
    for minutes in range(0, 24 * 60, 10):
        now = day + timedelta(minutes=minutes)
        assert now.astimezone(ZoneInfo(where_it_is_night(now))).hour in NIGHT
