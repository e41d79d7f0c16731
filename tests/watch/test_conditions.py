"""What counts as wrong, as a table of facts."""

from datetime import timedelta

import pytest

from replyline.alerts.level import Level
from replyline.twilio.errors import table
from replyline.watch.conditions import conditions
from replyline.watch.facts import Due, Facts, Used

DAY = "budget line 2026-03-02 {}%"
LOOK, WRONG = Level.LOOK, Level.WRONG


def minutes(count):
    return timedelta(minutes=count)


def due(kind, wait):
    return {"due": (Due(kind=kind, count=3, wait=wait),)}


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({}, []),
        # Delivery: under 95 % of at least fifty.
        ({"delivered": 47, "undelivered": 2}, []),
        ({"delivered": 48, "undelivered": 2}, []),
        ({"delivered": 95, "undelivered": 5}, []),
        ({"delivered": 94, "undelivered": 3, "failed": 3}, [("delivery", LOOK)]),
        ({"delivered": 79, "failed": 21}, [("delivery", WRONG)]),
        # Errors: those that only a person can mend at once, others when they repeat, most never.
        ({"errors": {30034: 1}}, [("error 30034", WRONG)]),
        ({"errors": {30007: 2}}, []),
        ({"errors": {30007: 3}}, [("error 30007", LOOK)]),
        ({"errors": {30007: 2}, "held": {30007: 1}}, [("error 30007", LOOK)]),
        ({"held": {20003: 1}}, [("error 20003", WRONG)]),
        ({"errors": {30003: 500, 30005: 500, 30006: 500}}, []),
        ({"errors": {99999: 1}}, [("error 99999", WRONG)]),
        # Opt-outs that we did not know of: ten, and thrice what is usual.
        ({"errors": {21610: 9}}, []),
        ({"errors": {21610: 10}}, [("opt-outs", LOOK)]),
        ({"errors": {21610: 10}, "opted_out_before": 3.4}, []),
        # Budgets: each threshold once.
        ({"budgets": (Used(scope="line", period="2026-03-02", percent=50, micros=1),)}, [(DAY.format(50), LOOK)]),
        (
            {"budgets": (Used(scope="line", period="2026-03-02", percent=100, micros=1),)},
            [(DAY.format(50), LOOK), (DAY.format(80), LOOK), (DAY.format(100), WRONG)],
        ),
        # Webhooks.
        ({"texts_not_stored": 1}, [("webhooks", WRONG)]),
        ({"reports_not_stored": 1}, [("webhooks", LOOK)]),
        ({"wrongly_signed": 4}, []),
        ({"wrongly_signed": 5}, [("signatures", LOOK)]),
        ({"texts_found": 1}, [("texts found late", LOOK)]),
        ({"ends_found": 3, "callbacks": 2}, [("status callbacks", LOOK)]),
        ({"ends_found": 3, "callbacks": 300}, []),
        # Doubt: old, or growing.
        ({"unknown": 1, "oldest_unknown": minutes(10)}, []),
        ({"unknown": 1, "oldest_unknown": minutes(11)}, [("doubt", WRONG)]),
        ({"unknown": 4, "oldest_unknown": minutes(1)}, []),
        ({"unknown": 5, "oldest_unknown": minutes(1)}, [("doubt", LOOK)]),
        ({"unknown": 9, "unknown_before": 5, "oldest_unknown": minutes(9)}, []),
        ({"given_up": 1}, [("doubt given up", WRONG)]),
        # The model.
        ({"turns_failed": {"model_refused": 1}}, [("model", WRONG)]),
        ({"turns_failed": {"trouble": 1}}, [("model", LOOK)]),
        ({"turns_failed": {"trouble": 1, "deadline": 2}}, [("model", WRONG)]),
        ({"turns_failed": {"filtered": 9, "empty": 9}}, []),
        ({"turns_tried_again": 2}, []),
        ({"turns_tried_again": 3}, [("model", LOOK)]),
        # Work that nobody does; texts may wait for their sender.
        (due("turn", minutes(2)), []),
        (due("turn", minutes(3)), [("work turn", WRONG)]),
        (due("send", minutes(300)), []),
        # Twilio.
        ({"twilio_unread": minutes(11), "twilio_tries": 2}, []),
        ({"twilio_unread": minutes(9), "twilio_tries": 9}, []),
        ({"twilio_unread": minutes(11), "twilio_tries": 3}, [("twilio", WRONG)]),
    ],
)
def test_what_is_wrong_is_seen_and_what_is_usual_is_not(facts, found):
    assert [(each.key, each.level) for each in conditions(Facts(**facts))] == found


def test_a_rate_at_the_threshold_does_not_end_its_alert():
    facts = Facts(delivered=955, undelivered=45)
    assert conditions(facts) == []
    assert [each.level for each in conditions(facts, {"delivery"})] == [LOOK]
    assert [each.level for each in conditions(Facts(delivered=96, undelivered=4), {"delivery"})] == [Level.OK]


def test_what_went_on_and_is_well_now_is_said_to_be_well():
    found = conditions(Facts(errors={30034: 1}), {"model", "error 30034"})
    assert [(each.key, each.level) for each in found] == [("error 30034", WRONG), ("model", Level.OK)]


def test_every_code_in_the_table_makes_a_sentence_that_fits_everywhere():
    found = conditions(Facts(errors=dict.fromkeys(table(), 500), held=dict.fromkeys(table(), 500)))
    assert len(found) > 100
    assert all(len(each.says) < 900 and len(each.key) < 100 for each in found)


def test_a_sentence_says_how_many_and_what_to_do():
    [found] = conditions(Facts(errors={30034: 12}, held={30034: 1}))
    assert found.says.startswith(
        "Twilio's error 30034 (Number not in a 10DLC campaign) ended 12 texts within an hour and holds back 1: A US long"
    )
    assert found.says.endswith("To do: alert operator.")
