"""The first minute: somebody starts the demo, opens the phone and texts."""

import json
import re
import struct
import time
import zlib

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE, opened, start_demo

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE)


def a_png(width):
    """A square picture, all green."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = (b"\0" + b"\x53\x78\x68" * width) * width
    header = struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def say(page, words):
    """Type and press Enter, as people do."""
    page.get_by_role("textbox", name="Text message").fill(words)
    page.keyboard.press("Enter")


def add_phone(page):
    """A phone that no other test has texted from; gives its number as the tab shows it."""
    with page.expect_response("**/simulator/phones") as answer:
        page.get_by_role("button", name="Add a phone").click()
    digits = answer.value.json()["number"][2:]
    number = f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"
    expect(page.get_by_role("tab", name=number)).to_have_attribute("aria-selected", "true")
    return number


def replies(page):
    return page.locator(".text:not(.mine) .bubble")


def newest(page):
    """What the server did with the last text."""
    return page.locator(".exchange").first


def test_a_class_is_booked_and_every_step_is_shown(page):
    add_phone(page)
    say(page, "Can I come to yoga tomorrow at 6pm?")
    expect(replies(page)).to_contain_text("booked for yoga")
    exchange = newest(page)
    expect(exchange.locator(".state")).to_have_text("delivered")
    kinds = exchange.locator(".moment").evaluate_all("moments => moments.map(moment => moment.dataset.kind)")
    assert kinds == ["webhook", "turn", "model", "action", "model", "queued", "sending", "sent", "report", "report"]
    expect(exchange.locator("[data-kind=webhook]")).to_contain_text("Signature checked, stored. Answered 200.")
    expect(exchange.locator("[data-kind=action]")).to_contain_text('schedule_appointment(service="yoga"')
    expect(exchange.locator("[data-kind=sent]")).to_contain_text(re.compile("SM[0-9a-f]{32}"))
    expect(exchange.locator("[data-kind=report]").last).to_contain_text("delivered")
    expect(exchange.locator(".figures")).to_contain_text("scripted: free")
    expect(exchange.locator(".figures")).to_contain_text(re.compile(r"SMS about \$0\.0\d+"))
    expect(exchange.locator("[data-kind=queued]")).to_contain_text(re.compile(r"about \$0\.0\d+"))


def test_the_day_s_budget_is_shown_and_used_up_by_texts(page):
    budget = page.get_by_text("Texts today:")
    expect(budget).to_have_text(re.compile(r"Texts today: \$0\.\d{3} of \$5\.00"))
    before = budget.text_content()
    add_phone(page)
    say(page, "Can I come to yoga tomorrow at 6pm?")
    expect(newest(page).locator(".state")).to_have_text("delivered")
    expect(budget).not_to_have_text(before)


def test_the_readme_s_conversation_can_be_clicked(page):
    add_phone(page)
    for answers, (words, answer) in enumerate(
        [
            ("Can I come to yoga tomorrow at 6pm?", "booked for yoga"),
            ("what do I have booked?", "yoga"),
            ("move it to 7", "7pm"),
            ("cancel it please", "canceled"),
        ]
    ):
        page.get_by_role("button", name=words).click()
        expect(replies(page).nth(answers)).to_contain_text(answer)


def test_the_page_says_who_answers(page):
    expect(page.get_by_role("banner")).to_contain_text("Iron Works Gym")
    expect(page.get_by_role("banner")).to_contain_text("(415) 555-0100")
    expect(page.get_by_role("banner")).to_contain_text("not an LLM")


def test_a_picture_is_sent_and_shown(page):
    add_phone(page)
    page.set_input_files("#file", {"name": "mat.png", "mimeType": "image/png", "buffer": a_png(8)})
    expect(page.get_by_role("list", name="Pictures to send").get_by_role("img")).to_have_count(1)
    say(page, "Is this the right mat?")
    picture = page.locator(".text.mine img")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 8)
    expect(replies(page)).to_contain_text("picture")
    expect(newest(page).locator("[data-kind=picture]")).to_contain_text("Picture fetched")
    expect(page.get_by_role("list", name="Pictures to send").get_by_role("img")).to_have_count(0)


def test_stop_silences_the_line_and_start_opens_it_again(page):
    add_phone(page)
    page.get_by_role("button", name="STOP").click()
    expect(replies(page)).to_contain_text("unsubscribed")
    banner = page.get_by_text("Opted out since")
    expect(banner).to_contain_text("START reopens the line")
    expect(newest(page)).to_contain_text("Heard as STOP")
    say(page, "Hello?")
    expect(newest(page)).to_contain_text("They have opted out.")
    expect(replies(page)).to_have_count(1)
    page.get_by_role("button", name="START").click()
    expect(banner).to_be_hidden()
    expect(replies(page)).to_have_count(2)


def test_each_phone_has_a_screen_of_its_own(page):
    number = add_phone(page)
    say(page, "Hello from one of them")
    expect(page.locator(".text.mine")).to_contain_text("Hello from one of them")
    page.get_by_role("tab").first.click()
    expect(page.get_by_role("log")).not_to_contain_text("Hello from one of them")
    unread = page.get_by_role("tab", name=re.compile(re.escape(number) + ".*unread"))
    expect(unread).to_be_visible()  # its answer came while we looked elsewhere
    unread.click()
    expect(replies(page).first).to_be_visible()


def test_a_burst_is_merged_and_phones_are_answered_side_by_side(page):
    number = add_phone(page)
    page.get_by_role("button", name="Send a burst").click()
    expect(page.get_by_role("button", name="All phones")).to_have_attribute("aria-pressed", "true")
    merged = page.locator(".exchange", has_text=number).filter(has_text="one turn for 3 texts")
    expect(merged.locator(".state")).to_have_text("delivered")
    expect(merged.locator("[data-kind=webhook]")).to_have_count(3)
    expect(merged.locator("[data-kind=queued]")).to_have_count(1)
    for words in ("Can I come to boxing tomorrow at 7pm?", "What are your opening hours?"):
        other = page.locator(".exchange").filter(has_text=words).first
        expect(other).not_to_contain_text(number)
        expect(other.locator(".state")).to_have_text("delivered")


def test_what_people_write_is_never_markup(page):
    add_phone(page)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    say(page, "<img src=x onerror=alert(1)><script>alert(2)</script>")
    expect(page.locator(".text.mine .bubble")).to_have_text("<img src=x onerror=alert(1)><script>alert(2)</script>")
    expect(newest(page).locator(".said")).to_contain_text("<img src=x")
    expect(replies(page).first).to_be_visible()
    assert asked == []


def test_nothing_is_asked_of_other_places(browser, demo):
    with opened(browser, demo.url) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.reload()
        page.get_by_text("live", exact=True).wait_for()
        assert asked
        assert [url for url in asked if not url.startswith((demo.url, "data:"))] == []


@pytest.mark.parametrize("width", [360, 700, 1024, 1920])
def test_the_page_fits_any_screen(browser, demo, width):
    with opened(browser, demo.url) as page:
        page.set_viewport_size({"width": width, "height": 800})
        expect(page.get_by_role("textbox", name="Text message")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_tabs_can_be_walked_with_the_keyboard(page):
    add_phone(page)
    page.get_by_role("tab").last.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab").first).to_be_focused()
    expect(page.get_by_role("tab").first).to_have_attribute("aria-selected", "true")


def test_the_demo_stops_at_once_though_a_page_is_open(browser, tmp_path):
    demo = start_demo(tmp_path)
    with opened(browser, demo.url) as page:
        began = time.monotonic()
        demo.stop()
        assert time.monotonic() - began < 3
        expect(page.get_by_role("status")).to_have_text("connecting again")


def test_an_offer_is_refused_without_consent_and_held_where_it_is_night_and_says_why(page):
    add_phone(page)
    page.get_by_role("button", name="Send an offer").click()
    expect(newest(page).locator(".state")).to_have_text("refused")
    expect(newest(page)).to_contain_text("The line asks for express written consent; the ledger has none.")
    page.get_by_role("button", name="Offer at night").click()
    expect(newest(page).locator(".state")).to_have_text("held")
    expect(newest(page)).to_contain_text("It waits until")
    expect(newest(page)).to_contain_text("quiet_hours: is it a decent hour wherever they may be?")
    expect(replies(page)).to_have_count(1)  # the welcome, and not the offer


def test_the_ledger_of_a_phone_is_shown_and_everything_kept_of_it_can_be_downloaded(page):
    number = add_phone(page)
    page.get_by_role("button", name="Sign them up").click()
    expect(replies(page)).to_contain_text("you're in for our news and offers")
    page.get_by_role("button", name="STOP", exact=True).click()
    expect(page.get_by_text("Opted out since")).to_be_visible()
    page.get_by_role("button", name="Ledger").click()
    ledger = page.get_by_role("dialog")
    expect(ledger.get_by_role("heading")).to_have_text(f"Ledger of {number}")
    expect(ledger.get_by_role("listitem")).to_contain_text(
        [re.compile("opt in.*web_form"), re.compile("opt out.*STOP")]
    )
    expect(ledger).to_contain_text("nothing changed, nothing missing")
    ledger.get_by_role("button", name="Close").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    kept = json.loads(download.value.path().read_text())
    assert [event["kind"] for event in kept["consent events"]] == ["opt_in", "opt_out"]
    assert "Not a condition of purchase." in kept["consent events"][0]["proof"]["disclosure"]
    assert len(kept["texts"]) == 2  # the welcome and their STOP; the confirmation is Twilio's
