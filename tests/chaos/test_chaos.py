"""Hundreds of conversations while processes are killed at random: nobody is lost, and nothing is done twice."""

import os
import random

import pytest

from tests.chaos.databases import Database
from tests.chaos.plan import Plan
from tests.chaos.run import run
from tests.support.left_out import as_many

pytestmark = [pytest.mark.process]

SEED = "REPLYLINE_TEST_CHAOS_SEED"


@pytest.fixture
def seed():
    """Another one in each run; the one of a run that failed can be given again."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"{SEED}={seed}")  # pytest shows it when the test fails
    return seed


@pytest.mark.timeout(500)  # a text that Twilio gave up on is found a minute and a half later
async def test_after_a_few_kills_everyone_was_answered_once(database_url, tmp_path, launcher, seed):
    outcome = await run(
        Plan(seed=seed, conversations=20, at_once=20, kills=as_many(5, quick=2), gap=40),
        Database(url=database_url),
        tmp_path,
        launcher,
    )
    assert outcome.bad == []


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_after_200_kills_with_200_conversations_in_flight_everyone_was_answered_once(
    database_url, tmp_path, launcher, seed, record_property
):
    outcome = await run(Plan(seed=seed, conversations=1000, kills=200), Database(url=database_url), tmp_path, launcher)
    record_property("chaos", str(outcome.numbers))
    assert outcome.bad == []
    assert outcome.numbers["at so many moments"] >= 200
    assert outcome.numbers["in flight at a kill (median)"] > 180
