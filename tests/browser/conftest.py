"""The demo as a user starts it, and a real Chromium."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.left_out import is_ci

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 20_000  # milliseconds, on a machine that is busy with other tests


@dataclass
class Demo:
    """A running `replyline demo`."""

    process: subprocess.Popen[str]
    url: str

    def stop(self) -> None:
        """As Ctrl-C does. Raises `TimeoutExpired` when it takes longer than it may."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


def start_demo(folder: Path) -> Demo:
    """Start it on a free port and wait for its address. It logs to a file in the folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "REPLYLINE_"))}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "replyline.cli", "demo", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder,
            env=environment | {"PYTHONUNBUFFERED": "1"},
        )
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return Demo(process=process, url=found[0])
    process.wait()
    process.stdout.close()
    raise AssertionError(f"The demo ended at once:\n{(folder / 'log').read_text()[-3000:]}")


@pytest.fixture(scope="module")  # no longer: while Playwright is open its event loop counts as running
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        reason = "no Chromium found (looked for chromium, chromium-browser and google-chrome in PATH)"
        pytest.fail(reason) if is_ci() else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = start_demo(tmp_path_factory.mktemp("demo"))
    yield demo
    demo.stop()


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """The page in a window of its own. An error in its script fails the test."""
    with opened(browser, demo.url) as page:
        yield page


class opened:  # noqa: N801  # reads as what it gives
    """A window with the page in it, and what went wrong there."""

    def __init__(self, browser: Browser, url: str, **given: object) -> None:
        self._context = browser.new_context(viewport={"width": 1280, "height": 800}, **given)
        self._url = url
        self.errors: list[str] = []

    def __enter__(self) -> Page:
        self._context.set_default_timeout(PATIENCE)
        page = self._context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(self._url)
        page.get_by_text("live", exact=True).wait_for()
        return page

    def __exit__(self, *_: object) -> None:
        self._context.close()
        assert self.errors == []
