import pytest

from tests.support.alert_ends import alert_ends


@pytest.fixture
async def ends():
    async with alert_ends() as ends:
        yield ends
