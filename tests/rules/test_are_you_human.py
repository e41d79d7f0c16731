"""Who asks whether a person writes here."""

import pytest

from replyline.rules.are_you_human import asks, asks_only


@pytest.mark.parametrize(
    "text",
    [
        "are you human?",
        "Are you a real person",
        "r u a bot",
        "is this a bot?",
        "Is this a real person or a bot?",
        "am I talking to a robot?",
        "wait... are you an AI??",
        "lol is this automated",
        "Is there a human here?",
        "hey are you chatgpt",
        "Hi, are you a person or a machine?",
    ],
)
def test_the_question_alone_is_known(text):
    assert asks_only(text)


@pytest.mark.parametrize(
    "text",
    [
        "Are you a bot? And can I come at 6?",
        "is this a real person, I need to move my class",
        "r u human or can I book here",
    ],
)
def test_the_question_among_others_is_left_to_the_turn(text):
    assert asks(text)
    assert not asks_only(text)


@pytest.mark.parametrize(
    "text",
    [
        "are you open?",
        "can a person bring a dog",
        "is this the gym",
        "I want to talk to a person",
        "are you a gym for people over 60",
        "is it real leather",
        "Am I on the list?",
        "is the machine on floor 2 working",
        "",
    ],
)
def test_what_asks_something_else_is_none(text):
    assert not asks_only(text)
