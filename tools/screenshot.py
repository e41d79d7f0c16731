"""Take the README's picture: the phone page after the README's conversation, in a real Chromium.

    .venv/bin/python tools/screenshot.py [--dark] [FILE]

Needs a Chromium (`apt-get install chromium`) and the `dev` dependencies.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "phone.png"
CONVERSATION = ("Can I come to yoga tomorrow at 6pm?", "what do I have booked?", "move it to 7")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def take(to: Path, *, is_dark: bool) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("No Chromium was found; apt-get install chromium.")
    with demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(
            viewport={"width": 1280, "height": 800},
            device_scale_factor=2,
            color_scheme="dark" if is_dark else "light",
            reduced_motion="reduce",
        )
        page.goto(url)
        for answers, words in enumerate(CONVERSATION, 1):
            text(page, words, answers)
        page.get_by_role("textbox", name="Text message").blur()
        page.wait_for_timeout(500)
        to.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=to)
        browser.close()


@contextlib.contextmanager
def demo() -> Iterator[str]:
    """The demo as a new user starts it: without keys, on an empty database."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "REPLYLINE_"))}
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "replyline.cli", "demo", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env=environment | {"PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        assert process.stdout is not None
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stdout)), None)
        if found is None:
            sys.exit("The demo did not start; try `replyline demo`.")
        yield found[0]
        process.send_signal(signal.SIGINT)


def text(page: Page, words: str, answers: int) -> None:
    """Write a text as a person does, and wait until its answer is on the phone and reported."""
    page.get_by_role("textbox", name="Text message").fill(words)
    page.keyboard.press("Enter")
    page.locator(".text:not(.mine)").nth(answers - 1).wait_for()
    page.locator(".exchange .state[data-tone=good]").nth(answers - 1).wait_for()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Take the README's picture of the phone page.")
    parser.add_argument("file", nargs="?", type=Path, default=PICTURE)
    parser.add_argument("--dark", action="store_true")
    given = parser.parse_args()
    take(given.file, is_dark=given.dark)
