import pytest
from hypothesis import given
from hypothesis import strategies as st

from replyline.conversations.segments import Encoding, measure
from replyline.turns.clean import EmojiPolicy, clean

KEEP, STRIP, AUTO = EmojiPolicy.KEEP, EmojiPolicy.STRIP, EmojiPolicy.AUTO


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("You are **booked** for *yoga*.", "You are booked for yoga."),
        ("***Great*** news, __Ana__: _see you_!", "Great news, Ana: see you!"),
        ("**B**ook now", "Book now"),
        ("**Note: 2*3*4 is 24, and snake_case_name stays**", "Note: 2*3*4 is 24, and snake_case_name stays"),
        ("Dial *67* first. Card ****1234.", "Dial *67* first. Card ****1234."),
        ("Price* and terms*", "Price* and terms*"),
        ("It was ~~$20~~ $15.", "It was $15."),
        ("# Our hours\nMon 9-5", "Our hours\nMon 9-5"),
        ("## Our hours ##", "Our hours"),
        ("#1 in town\n# of guests: 4", "#1 in town\n# of guests: 4"),
        ("* yoga\n* pilates\n  * for two", "- yoga\n- pilates\n- for two"),
        ("• yoga\n•pilates", "- yoga\n- pilates"),
        ("1. **Yoga**\n2. Pilates", "1. Yoga\n2. Pilates"),
        ("[Book here](https://acme.test/book?a_b=c_d)", "Book here: https://acme.test/book?a_b=c_d"),
        ("[https://acme.test/](https://acme.test)", "https://acme.test"),
        ("**[Book](https://acme.test/a_(b))**.", "Book: https://acme.test/a_(b)."),
        ("Write to [us](mailto:hi@acme.test) or <https://acme.test>", "Write to us: hi@acme.test or https://acme.test"),
        ("[call](tel:+14155550123) [more](#top)", "call: +14155550123 more"),
        ('![Our room](https://acme.test/r.png "Room")', "Our room: https://acme.test/r.png"),
        ("See https://acme.test/_new_/x__y and a_b@acme.test", "See https://acme.test/_new_/x__y and a_b@acme.test"),
        ("Use `code YOGA10` now", "Use code YOGA10 now"),
        ("```python\nprint(1)\n```\nDone", "print(1)\nDone"),
        ("| Class | Time |\n|---|:--:|\n| Yoga | 18:00 |\n| Pilates | |", "Class, Time\nYoga, 18:00\nPilates"),
        ("> Ana wrote\n> this\n> 18 years only", "Ana wrote\nthis\n> 18 years only"),
        ("One\n\n---\n\nTwo", "One\n\nTwo"),
        ("5 \\* 3 \\- 1", "5 * 3 - 1"),
        ("One<br>Two", "One\nTwo"),
    ],
)
def test_markdown_becomes_plain_text(written, plain):
    assert clean(written, emoji=KEEP) == plain


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("“Hi”, it’s ‘us’…", "\"Hi\", it's 'us'..."),
        ("9–5, yes—come", "9-5, yes - come"),
        ("yes — come", "yes - come"),
        ("6\u00a0pm\u202ftoday\u200b", "6 pm today"),
        ("1½ hours, ½ price, 3×10", "1 1/2 hours, 1/2 price, 3x10"),
        ("A • B → C", "A - B -> C"),
        ("𝗕𝗼𝗼𝗸 𝘯𝘰𝘸", "Book now"),
        ("e\u0301 a\u0301", "é á"),
        ("„Yoga“ und «pilates»", '"Yoga" und "pilates"'),
    ],
)
def test_what_costs_double_becomes_its_look_alike(written, plain):
    assert clean(written, emoji=KEEP) == plain


@pytest.mark.parametrize(
    "text",
    ["¿Mañana a las 6? Sí, está bien. Ça va, où?", "Привет, мир", "ヨガは、６時です。", "l·l", "नमस्ते", "שלום\u200e!"],
)
def test_the_letters_of_other_languages_stay(text):
    assert clean(text, emoji=STRIP) == text


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("See you 😊!", "See you!"),
        ("😊 See you", "See you"),
        ("See 😊 you", "See you"),
        ("See😊you (😊 really)", "See you (really)"),
        ("Done ✅", "Done"),
        ("✅ Yoga\n✅ Pilates 🧘🏽‍♀️\n", "Yoga\nPilates"),
        ("1️⃣ Yoga", "1 Yoga"),
        ("Hi 👨‍👩‍👧 from 🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿", "Hi from"),
        ("I ❤️ you, really ☎️.", "I you, really."),
        ("👍", ""),
    ],
)
def test_emoji_leave_no_gaps(written, plain):
    assert clean(written, emoji=STRIP) == plain


def test_emoji_stay_while_they_cost_nothing():
    assert clean("See you 😊", emoji=AUTO) == "See you 😊"
    assert clean("👍", emoji=AUTO) == "👍"
    assert clean("Привет 😊", emoji=AUTO) == "Привет 😊"


def test_emoji_go_when_the_text_is_cheaper_without():
    body = "We have you down for yoga tomorrow at 6 pm with Bruno. Bring a towel and some water."
    text = clean(f"{body} 😊", emoji=AUTO)
    assert text == body
    assert measure(text).encoding is Encoding.GSM_7


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("  One  \t two \r\n\r\n\r\n\r\n three ", "One two\n\nthree"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_needless_space_goes(written, plain):
    assert clean(written, emoji=KEEP) == plain


@pytest.mark.parametrize("written", ["[**ACTION**:LIST]", "[ACTION\u200b:LIST]", "[𝗔𝗖𝗧𝗜𝗢𝗡:LIST]", "[ACT**ION**:LIST]"])
def test_a_trigger_in_disguise_does_not_get_through(written):
    assert clean(f"Sure {written} thing", emoji=KEEP) == "Sure thing"


def test_absurdly_nested_markdown_takes_no_longer():
    assert clean("# > " * 2000 + "Hi", emoji=KEEP) == "Hi"


pieces = st.sampled_from(
    ["*", "**", "***", "_", "__", "`", "```", "#", "# ", "- ", "---", "|", "\n", "\n\n", " ", "~~", ">", "\\", "[", "]",
     "](", ")", "(", "http://a.b", "a", "B", "1", ".", "!", "—", "–", "…", "“", "’", "½", "\u00a0", "\u200b", "😊", "❤️",
     "\u200d", "\ufe0f", "1️⃣", "🇩🇪", "é", "\u0301", "я", "<br>", "•", "[ACTION:", "\r", "\x00", "=", "<", "𝗕"]
)  # fmt: skip
replies = st.lists(pieces, max_size=25).map("".join) | st.text(max_size=40)


@given(replies, st.sampled_from(EmojiPolicy))
def test_cleaning_what_is_clean_changes_nothing(reply, emoji):
    once = clean(reply, emoji=emoji)
    assert clean(once, emoji=emoji) == once


@given(replies, st.sampled_from(EmojiPolicy))
def test_a_clean_text_has_no_trigger_and_no_needless_space(reply, emoji):
    text = clean(reply, emoji=emoji)
    assert "[action:" not in text.lower()
    assert text == text.strip()
    assert not any(needless in text for needless in ("  ", " \n", "\n ", "\n\n\n", "\u00a0", "\t", "\r"))
