"""Hostile requests against the whole web side: 1,000 in every run, 3,000 in CI, 20,000 with --long, 100,000 with `make fuzz`.

An eighth as many sign-ups come with them."""

import pytest

from replyline.inbound.limits import PerAddress
from tests.hostile.run import MOST_GROWTH, fuzz
from tests.support.left_out import as_many


async def test_no_request_ends_in_an_error_or_leaves_a_trace_that_it_should_not(database_url, tmp_path):
    run = await fuzz(database_url, tmp_path, seed=1, count=(count := as_many(3_000, quick=1_000)), turns_every=5)
    assert run.count == count
    assert run.turns > count // 30
    assert {201, 400, 403, 405, 413, 422} <= {status for kind, status in run.tally if kind == "sign-up"}
    answers = {status for _, status in run.tally}
    assert {200, 400, 403, 404, 405, 413, 415} <= answers


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_twenty_thousand_requests_later_the_server_is_as_it_was(database_url, tmp_path):
    run = await fuzz(database_url, tmp_path, seed=2026, count=20_000)
    assert run.growth < MOST_GROWTH


def test_a_flood_of_addresses_take_no_more_memory_than_ten_thousand():
    limit = PerAddress()
    for n in range(200_000):
        limit.allows(f"2001:db8::{n:x}")
    assert len(limit) <= 10_000
