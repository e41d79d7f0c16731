"""The model's budget: what its answers cost is counted, and at the limit people get the fallback text."""

from dataclasses import replace
from datetime import datetime

import pytest
import structlog
from sqlalchemy import select
from tests.support.cast import CLEO, a_line
from tests.support.road import USAGE, FixedModel, Road, calls, says

from replyline import ActionContext, Budget
from replyline.costs import budgets as money
from replyline.costs.allowance import dearest_answer
from replyline.costs.prices import Tokens, read_prices
from replyline.db.tables import budgets


@pytest.fixture
def road(db, clock, tmp_path):
    def make(*answers, amount="0.000014", line=None):
        line = line or a_line(budgets=[Budget(amount, of="model")])
        return Road(db=db, clock=clock, line=line, model=FixedModel(list(answers)), media_dir=tmp_path)

    return make


def spent(gym):
    return [(row.scope, row.period, row.spent_micros, row.reserved_micros) for row in gym.rows(budgets)]


async def test_every_answer_of_the_model_counts_and_past_the_limit_it_is_not_asked(road):
    gym = road(says("One."), says("Two."), says("Three."))
    for n in range(3):
        await gym.text(f"Question {n}")
        await gym.work()
    assert gym.replies() == ["One.", "Two.", gym.line.fallback_text]
    assert len(gym.model.seen) == 2
    assert spent(gym) == [("model", "2026-03-02", 14, 0)]
    assert gym.outcomes()[-1] == ("failed", "model_budget")


async def test_the_next_day_the_model_is_asked_again(road):
    gym = road(says("One."), says("Two."), amount="0.000007")
    await gym.text("Question")
    await gym.work()
    await gym.text("Question")
    await gym.work()
    await gym.text("Question", phone=CLEO)
    await gym.work(seconds=24 * 3600)
    assert gym.replies() == ["One.", gym.line.fallback_text]
    assert gym.replies(CLEO) == ["Two."]


async def test_a_turn_that_has_acted_says_the_fallback_text_when_the_money_is_gone(road):
    line = a_line(budgets=[Budget("0.000007", of="model")])
    booked = []

    @line.action
    def book(ctx: ActionContext, when: datetime) -> str:
        """Book a class."""
        booked.append(when)
        return "Booked."

    gym = road(calls(("book", {"when": "2026-03-03T18:00:00"})), line=line)
    await gym.text("Book tomorrow at six")
    await gym.work()
    assert (len(booked), gym.replies()) == (1, [line.fallback_text])


async def test_an_answer_of_no_known_price_counts_as_the_dearest_models(road):
    unknown = replace(says("One."), usage=replace(USAGE, cost_micros=None, model="nobody-knows-1"))
    gym = road(unknown, amount=5)
    await gym.text("Question")
    await gym.work()
    dearest = dearest_answer(read_prices(), Tokens(input=100, output=10), gym.clock.now().date())
    assert dearest > 0
    assert spent(gym) == [("model", "2026-03-02", dearest, 0)]


async def test_a_threshold_of_the_models_budget_is_told_once_and_a_raise_opens_it(road):
    gym = road(says("One."), says("Two."), says("Three."))
    with structlog.testing.capture_logs() as logs:
        for n in range(3):
            await gym.text(f"Question {n}")
            await gym.work()
    assert [entry["percent"] for entry in logs if entry["event"] == "budget_threshold"] == [50, 100]
    [each] = gym.db.run_blocking(money.standing, gym.line, gym.clock.now())
    gym.db.run_blocking(money.raise_by, each, 1_000, by="Olga", now=gym.clock.now())
    await gym.text("Question")
    await gym.work()
    assert gym.replies()[-1] == "Three."


async def test_a_line_without_a_budget_for_the_model_keeps_no_row_of_one(road):
    gym = road(says("One."), line=a_line(budgets=[Budget(50)]))
    await gym.text("Question")
    await gym.work()
    assert gym.replies() == ["One."]
    assert gym.db.run_blocking(lambda conn: conn.execute(select(budgets)).all()) == []
