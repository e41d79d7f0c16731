"""Conversations with the scripted model, through the same door and with the same actions as with any other."""

import json
from datetime import datetime

import pytest

from replyline.llm import Answered, Check, Picture, Record, Result, Texts, ask
from replyline.llm.scripted import NOT_AN_LLM, scripted_model
from tests.llm.gym import MONDAY, TOOLS, Gym, Phone, tool

YOGA = ("yoga", datetime(2026, 11, 24, 18))
SPIN = ("spin", datetime(2026, 11, 27, 7))
PNG = Picture(media_type="image/png", content=b"\x89PNG")


def with_yoga() -> Gym:
    return Gym(bookings={"A1": YOGA})


def with_both() -> Gym:
    return Gym(bookings={"A1": YOGA, "A2": SPIN})


async def talk(gym: Gym, *texts: str) -> list[str]:
    phone = Phone(model=scripted_model(), gym=gym)
    return [await phone.text(text) for text in texts]


async def last(gym: Gym, *texts: str) -> str:
    return (await talk(gym, *texts))[-1]


async def test_the_conversation_of_the_demo() -> None:
    gym = Gym()
    assert await talk(
        gym,
        "Can I come to yoga tomorrow at 6pm?",
        "what do I have booked?",
        "move it to 7",
        "cancel it please",
        "what do I have booked?",
    ) == [
        "You're booked for yoga on Tue Nov 24 at 6pm. See you then!",
        "You have yoga on Tue Nov 24 at 6pm.",
        "Done, I moved yoga to Tue Nov 24 at 7pm. See you then!",
        "Done, yoga on Tue Nov 24 at 7pm is canceled.",
        "You have nothing booked.",
    ]
    assert gym.bookings == {}


async def test_what_is_missing_is_asked_for_and_kept_in_mind() -> None:
    gym = Gym()
    assert await talk(gym, "book me in for spin", "tomorrow", "6") == [
        "What day and time would you like for spin?",
        "What time on Tue Nov 24 would you like for spin? Free: 7am, 6pm.",
        "You're booked for spin on Tue Nov 24 at 6pm. See you then!",
    ]


async def test_without_a_service_it_asks_which() -> None:
    gym = Gym()
    assert await talk(gym, "Can I come tomorrow at 5?", "yoga") == [
        "What would you like to book for Tue Nov 24 at 5pm: yoga, spin or open gym?",
        "You're booked for yoga on Tue Nov 24 at 5pm. See you then!",
    ]


async def test_the_only_service_need_not_be_named() -> None:
    gym = Gym(record={"services": [{"name": "haircut", "minutes": 30}]})
    assert (
        await last(gym, "can I come tomorrow at 3") == "You're booked for haircut on Tue Nov 24 at 3pm. See you then!"
    )


@pytest.mark.parametrize(
    ("text", "service", "starts_at"),
    [
        ("yoga 2moro half past 6 pm pls", "yoga", "2026-11-24T18:30"),
        ("spin this friday 7am", "spin", "2026-11-27T07:00"),
        ("Sign me up for yoga 24th at 6", "yoga", "2026-11-24T18:00"),
        ("id like to do yoga tmrw 6ish", "yoga", "2026-11-24T18:00"),
        ("can i come in 2 hours for spin?", "spin", "2026-11-23T12:00"),
        ("Yoga next Tuesday at noon", "yoga", "2026-12-01T12:00"),
        ("spin 11/25 5p", "spin", "2026-11-25T17:00"),
        ("Hi! Could you put me down for open gym on sat 9am? Thanks", "open gym", "2026-11-28T09:00"),
    ],
)
async def test_a_booking_is_understood_however_it_is_said(text: str, service: str, starts_at: str) -> None:
    gym = Gym()
    await last(gym, text)
    assert list(gym.bookings.values()) == [(service, datetime.fromisoformat(starts_at))]


@pytest.mark.parametrize(
    ("text", "starts_at"),
    [
        ("move it to 7", "2026-11-24T19:00"),
        ("move my yoga to Friday at 5", "2026-11-27T17:00"),
        ("can we do wednesday instead", "2026-11-25T18:00"),
        ("make it an hour later", "2026-11-24T19:00"),
        ("push it back 30 min", "2026-11-24T18:30"),
        ("bring it forward an hour", "2026-11-24T17:00"),
        ("Can you move me from 6 to 7 tomorrow", "2026-11-24T19:00"),
        ("reschedule to thursday noon", "2026-11-26T12:00"),
        ("cant make it tomorrow, can we do friday at 5?", "2026-11-27T17:00"),
        ("change my 6pm to 7:30am", "2026-11-24T07:30"),
    ],
)
async def test_a_booking_moves_and_keeps_what_was_not_said(text: str, starts_at: str) -> None:
    gym = with_yoga()
    await last(gym, text)
    assert gym.bookings == {"A1": ("yoga", datetime.fromisoformat(starts_at))}


async def test_it_asks_which_of_several_to_move() -> None:
    gym = with_both()
    question, done = await talk(gym, "move it to 8", "spin")
    assert question == "Which one should I move: yoga on Tue Nov 24 at 6pm or spin on Fri Nov 27 at 7am?"
    assert done == "Done, I moved spin to Fri Nov 27 at 8am. See you then!"


async def test_it_means_the_one_we_last_spoke_of() -> None:
    gym = with_both()
    assert await last(gym, "when is my spin?", "cancel it") == "Done, spin on Fri Nov 27 at 7am is canceled."


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cancel my yoga", ["spin"]),
        ("please cancel the class on friday", ["yoga"]),
        ("I can't make it tomorrow", ["spin"]),
        ("cancel both", []),
    ],
)
async def test_a_cancellation_finds_its_booking(text: str, left: list[str]) -> None:
    gym = with_both()
    await last(gym, text)
    assert [service for service, _ in gym.bookings.values()] == left


@pytest.mark.parametrize(
    "text", ["is yoga tomorrow at 6 cancelled?", "am I still booked?", "thanks, see you tomorrow!", "im running late"]
)
async def test_talk_about_a_booking_changes_nothing(text: str) -> None:
    gym = with_yoga()
    await last(gym, text)
    assert gym.bookings == {"A1": YOGA}


async def test_never_mind_ends_what_was_begun() -> None:
    gym = Gym()
    assert await talk(gym, "book yoga", "never mind", "tomorrow") == [
        "What day and time would you like for yoga?",
        "OK, I left everything as it was.",
        "What would you like to book for Tue Nov 24: yoga, spin or open gym?",
    ]


async def test_a_question_in_between_does_not_lose_the_thread() -> None:
    gym = Gym()
    answers = await talk(gym, "book yoga tomorrow", "how much is it?", "6pm")
    assert answers[1] == "Yoga is $15. What time on Tue Nov 24 would you like for yoga? Free: 7am, 6pm."
    assert gym.bookings == {"A3": YOGA}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("how much is yoga?", "Yoga is $15."),
        ("what's the price of spin", "I don't have the price of spin here."),
        ("how long is spin", "Spin takes 45 minutes."),
        ("when are you open?", "We're open Mon-Fri 6am-9pm, Sat 8am-6pm, Sun closed."),
        ("are u open tomorrow", "We're open 6am-9pm on Tue Nov 24."),
        ("open on sunday?", "We're closed on Sun Nov 29."),
        ("where are you", "We're at 12 Main St."),
        ("what classes do you have", "We have yoga (60 min, $15), spin (45 min) and open gym (90 min, $8)."),
        ("thx", "You're welcome!"),
        ("how are you?", "I'm doing fine, thanks for asking! What can I do for you?"),
    ],
)
async def test_a_question_is_answered_from_the_record(text: str, answer: str) -> None:
    assert await last(Gym(), text) == answer


@pytest.mark.parametrize(
    "text", ["are you a robot?", "who is this", "is this a real person", "am I talking to a human?"]
)
async def test_it_says_that_it_is_automated(text: str) -> None:
    assert "automated assistant" in await last(Gym(), text)


async def test_it_greets_by_name() -> None:
    assert (await last(Gym(), "hi")).startswith("Hi Dana! I'm Iron Works Gym's automated assistant.")


async def test_a_closed_day_is_not_booked() -> None:
    gym = Gym()
    assert await talk(gym, "yoga sunday at 10am", "saturday at 10am") == [
        "Sorry, we're closed on Sun Nov 29. What other day and time would you like for yoga?",
        "You're booked for yoga on Sat Nov 28 at 10am. See you then!",
    ]


async def test_a_closed_hour_is_not_booked_and_the_day_stays() -> None:
    assert await talk(Gym(), "yoga tomorrow at 11pm", "8pm") == [
        "Sorry, on Tue Nov 24 we're open 6am-9pm. What other time on Tue Nov 24 would you like for yoga?",
        "You're booked for yoga on Tue Nov 24 at 8pm. See you then!",
    ]


async def test_a_time_that_has_passed_is_not_booked() -> None:
    gym = Gym()
    assert (await last(gym, "yoga today at 9am")).startswith("That time has passed.")
    assert gym.bookings == {}


async def test_a_refused_booking_is_said_plainly_with_what_would_do() -> None:
    gym = Gym(full={YOGA[1]})
    assert await talk(gym, "yoga tomorrow at 6pm", "7 then") == [
        "Sorry, 6pm is full on Tue Nov 24. Free: Tue Nov 24 at 7pm. "
        "What other time on Tue Nov 24 would you like for yoga?",
        "You're booked for yoga on Tue Nov 24 at 7pm. See you then!",
    ]


@pytest.mark.parametrize(
    ("output", "reply"),
    [
        (
            "error: it failed. Say so, and that somebody will get back to them.",
            "Sorry, that did not work. Somebody will get back to you.",
        ),
        (
            "error: it took too long, and may or may not have happened; say that somebody will check.",
            "Sorry, that did not work. Somebody will get back to you.",
        ),
        (
            "error: this cannot be done; tell the person: Your membership has ended.",
            "Sorry, your membership has ended.",
        ),
        ("Noted.", "Noted."),
    ],
)
async def test_nothing_is_promised_that_no_action_confirmed(output: str, reply: str) -> None:
    gym = Gym()
    gym.act = lambda call: output  # type: ignore[method-assign]
    said = await last(gym, "yoga tomorrow at 6pm")
    assert said.startswith(reply)
    assert "booked" not in said


async def test_only_offered_actions_are_called() -> None:
    turns = [Record(data=Gym().contact_record()), Texts(texts=("yoga tomorrow at 6pm",))]
    answer = await ask(scripted_model(), instructions="", turns=turns, tools=TOOLS[1:])
    assert answer.calls == ()
    assert answer.text == "Sorry, I can't book by text here."


async def test_an_action_gets_only_the_arguments_it_takes() -> None:
    turns = [Record(data=Gym().contact_record()), Texts(texts=("yoga tomorrow at 6pm",))]
    answer = await ask(scripted_model(), instructions="", turns=turns, tools=[tool("schedule_appointment", "service")])
    assert json.loads(answer.calls[0].arguments) == {"service": "yoga"}


@pytest.mark.parametrize(
    "texts",
    [
        ("can i come to yoga", "tomorrow", "at 6pm"),
        ("Hi!", "yoga?", "tomorrow 6pm"),
        ("Can I come to yoga?", "Tomorrow at 6pm"),
    ],
)
async def test_texts_that_arrive_together_are_one_wish(texts: tuple[str, ...]) -> None:
    phone = Phone(model=scripted_model(), gym=Gym())
    assert await phone.text(*texts) == "You're booked for yoga on Tue Nov 24 at 6pm. See you then!"


async def test_every_text_of_a_burst_is_answered() -> None:
    phone = Phone(model=scripted_model(), gym=Gym())
    said = await phone.text("Hi!", "How much is yoga?", "and can i come tmrw 6ish", "Where are you?")
    assert said == "Yoga is $15. You're booked for yoga on Tue Nov 24 at 6pm. See you then! We're at 12 Main St."


async def test_two_wishes_in_one_text_are_two_actions() -> None:
    gym = with_yoga()
    await last(gym, "cancel yoga and book open gym saturday at 9")
    assert [service for service, _ in gym.bookings.values()] == ["open gym"]
    await last(gym, "book yoga wed 6pm and spin thu 7am")
    assert [service for service, _ in gym.bookings.values()] == ["open gym", "yoga", "spin"]


async def test_a_picture_is_thanked_for_and_not_looked_at() -> None:
    phone = Phone(model=scripted_model(), gym=Gym())
    assert await phone.text(pictures=(PNG,)) == (
        "Thanks for the picture! I'm a scripted model, so I can't look at it. What can I do for you?"
    )
    said = await phone.text("How much is yoga?", pictures=(PNG,))
    assert said.startswith("Thanks for the picture!")
    assert said.endswith("Yoga is $15.")


async def test_texts_that_join_the_turn_are_answered_once_with_the_rest() -> None:
    turns = [Record(data=Gym().contact_record()), Texts(texts=("yoga tomorrow at 6pm",))]
    model = scripted_model()
    first = await ask(model, instructions="", turns=turns, tools=TOOLS)
    result = Result(call_id=first.calls[0].id, name="schedule_appointment", output=Gym().act(first.calls[0]))
    more = [*turns, Answered(message=first.message), result, Texts(texts=("how much is it?",))]
    answer = await ask(model, instructions="", turns=more, tools=TOOLS)
    assert answer.text == "You're booked for yoga on Tue Nov 24 at 6pm. See you then! Yoga is $15."


async def test_asked_for_less_it_says_less() -> None:
    turns = [Record(data=Gym().contact_record()), Texts(texts=("hi",)), Check(text="Say it in 1 segment.")]
    answer = await ask(scripted_model(), instructions="", turns=turns, tools=TOOLS)
    assert 0 < len(answer.text) <= 160


async def test_an_empty_record_is_no_trouble() -> None:
    for text in ("hi", "book me tomorrow at 5", "when are you open", "how much", "cancel", "where", "what classes"):
        answer = await ask(
            scripted_model(), instructions="", turns=[Record(data={}), Texts(texts=(text,))], tools=TOOLS
        )
        assert answer.text or answer.calls


async def test_a_new_hour_is_local_across_a_clock_change() -> None:
    gym = Gym(now=MONDAY.replace(year=2027, month=3, day=13))
    await last(gym, "yoga monday at 6pm")
    assert list(gym.bookings.values()) == [("yoga", datetime(2027, 3, 15, 18))]


GSM = set("@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ÄÖÑÜ§¿äöñüà") | set(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)


@pytest.mark.parametrize(
    "text",
    ["hi", "book yoga", "yoga tomorrow 6pm", "cancel", "move it", "what classes", "hours", "huh", "who are you", "lol"],
)
async def test_replies_are_plain_short_and_ask_for_no_carrier_words(text: str) -> None:
    said = await last(with_both(), text)
    assert set(said) <= GSM
    assert len(said) <= 160
    assert "eply" not in said


def test_it_says_at_start_that_it_is_not_an_llm() -> None:
    assert "not an LLM" in NOT_AN_LLM
