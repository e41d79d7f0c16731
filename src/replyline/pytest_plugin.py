"""For the tests of your own line: a phone that texts with it. pytest finds this once Replyline is installed.

Name your line once in `conftest.py` or in the test's module:

    @pytest.fixture
    def line():
        return my_line
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from replyline.plugins.line import Line


@pytest.fixture
async def desk(line: Line) -> AsyncIterator[Any]:
    """The line's server with a simulated Twilio and the scripted model; see `replyline.desk`."""
    from replyline.desk import open_desk
    from replyline.llm.scripted import scripted_model

    async with open_desk(line, model=scripted_model()) as opened:
        yield opened


@pytest.fixture
def phone(desk: Any) -> Any:
    """A phone: `await phone.text("Hi")`, then `await phone.next_reply()`."""
    return desk.phone()


@pytest.fixture
def twilio(desk: Any) -> Any:
    """The desk's simulated Twilio: `twilio.faults.next_creates(THROTTLED)` makes things go wrong."""
    return desk.twilio
