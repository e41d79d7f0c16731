"""A business on each engine, whose processes end with the test however it ends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.llm.openai_server import OpenAIServer
from tests.support.gate import Gate
from tests.support.processes import Brain, Business, a_twilio, open_business


@pytest.fixture
async def business(tmp_path: Path, database_url: str) -> AsyncIterator[Business]:
    twilio = a_twilio()
    gate = Gate(twilio)
    folder = tmp_path / "business"
    folder.mkdir()
    async with twilio.serving(), OpenAIServer(Brain()) as model:
        business = open_business(folder, database_url, twilio, model)
        business.gate = gate
        try:
            yield business
        finally:
            business.end_all()
