"""After the commit of a STOP nothing is claimed for that person but its confirmation and the answer to HELP."""

import multiprocessing
import os
import random

import pytest

from replyline.db import open_db
from tests.support.left_out import as_many
from tests.support.stop_race import Pauses, Race, agree_all, breaches, claim_in_process, people_of, shares

PEOPLE = int(os.environ.get("STOP_RACE_PEOPLE") or as_many(1_000, quick=150))  # `make races` takes 10,000
SEED = "STOP_RACE_SEED"  # of a run that failed: it tries the same again


@pytest.fixture
def race(database_url):
    """Run a race among so many people and hold what was promised."""

    def run(how_many, start):
        seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(2**32))
        # SQLite has one writer: whoever dawdles in a transaction holds up everybody, and nobody gets between.
        pauses = Pauses(within=0.0 if database_url.startswith("sqlite") else 0.006, between=0.004)
        race = Race(url=database_url, people=people_of(how_many), seed=seed, pauses=pauses)
        db = open_db(database_url)
        db.run_blocking(agree_all, race.people)
        start(race)
        found, how_close = breaches(db, race), shares(db, race)
        db.close_blocking()
        again = f"{SEED}={seed} tries the same again"
        assert not found, f"{len(found)} breaches, {again}: {found[:10]}"
        assert len(race.left_before) == how_many, again
        assert min(how_close.values()) > 0.05, f"Hardly a race: {how_close}; {again}"
        return how_close

    return run


def in_threads(race):
    race.run(claimers=3)


@pytest.mark.timeout(max(180, PEOPLE))
def test_stops_among_their_texts_let_nothing_leave_afterwards(race):
    race(PEOPLE, in_threads)


@pytest.mark.long
@pytest.mark.process
@pytest.mark.timeout(180)
def test_stops_among_texts_that_several_processes_claim_let_nothing_leave_afterwards(race):
    race(200, in_processes)


def in_processes(race, how_many=3):
    context = multiprocessing.get_context("spawn")
    all_are_there, is_over = context.Barrier(how_many + 1), context.Event()
    claiming = [
        context.Process(
            target=claim_in_process, args=(race.url, f"{race.seed} claimer {n}", race.pauses, all_are_there, is_over)
        )
        for n in range(how_many)
    ]
    for each in claiming:
        each.start()
    try:
        all_are_there.wait(60)
        race.act(actors=2)
    finally:
        is_over.set()
        for each in claiming:
            each.join(60)
    race.raise_errors()
    assert [each.exitcode for each in claiming] == [0] * how_many
