"""Words that no text may ask people to reply."""

import pytest

from replyline.rules.reply_words import asked_for, complaint


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("Reply CANCEL to cancel your appointment.", "CANCEL"),
        ("Reply C to confirm or CANCEL.", "CANCEL"),
        ("Please text YES to confirm.", "YES"),
        ("Reply YES or NO", "YES"),
        ("Reply 'yes' to book.", "YES"),
        ("respond with END when done", "END"),
        ("Answer QUIT to leave the game", "QUIT"),
        ("Reply CONFIRM, CHANGE or CANCEL", "CANCEL"),
        ("Reply STOP to cancel your booking", "STOP"),
        ("Reply HELP if you cannot come", "HELP"),
        ("Responda CANCELAR para anular su cita", "CANCELAR"),
        ("Répondez? Repondez OUI pour confirmer", "OUI"),
    ],
)
def test_a_text_that_asks_for_a_colliding_word_is_known(body, word):
    assert asked_for(body)[0] == word
    assert word in complaint(body)


@pytest.mark.parametrize(
    "body",
    [
        "Reply STOP to opt out.",
        "Reply HELP for help, STOP to opt out.",
        "Gym: you will get our texts again. Reply HELP for help, STOP to end.",
        "You are unsubscribed. Reply START to resubscribe.",
        "Reply CONFIRM or CHANGE, or 1 or 2.",
        "Text us to cancel, any time.",
        "Just say yes when they ask at the desk.",
        "Yes, we can cancel that. The class ends at 7.",
        "Reply with your name to start.",
        "You can cancel up to an hour before.",
        "",
    ],
)
def test_other_texts_may_be_sent(body):
    assert complaint(body) is None
