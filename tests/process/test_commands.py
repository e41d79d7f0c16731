"""The commands a newcomer types: demo, new, text."""

import re
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.support.cast import ANA
from tests.support.databases import only_on_sqlite
from tests.support.processes import PATIENCE, Business, bare_environment, until

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64
SCRIPT = ROOT / "examples" / "conversation.txt"


@pytest.fixture
def desk(tmp_path):
    """A folder in which commands are run that need no settings."""
    desk = Business(tmp_path, "", None, None, None, 0, bare_environment())
    yield desk
    desk.end_all()


async def test_the_demo_prints_an_address_where_everything_answers(desk, record_property):
    begun = time.monotonic()
    demo = desk.run("demo", "--port", "0")
    await until(lambda: "http://" in demo.printed or demo.process.poll() is not None, within=15)
    took = time.monotonic() - begun
    record_property("demo_start", f"{took:.2f} s")
    url = re.search(r"http://127\.0\.0\.1:\d+", demo.printed)[0]
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/simulator/", "/healthz", "/readyz"):
            async with session.get(url + path) as response:
                assert response.status == 200, path
    demo.tell()
    assert await demo.end(within=20) == 0


async def test_the_demo_plays_the_conversation_of_the_readme(desk):
    playing = desk.run("demo", "--script", str(SCRIPT))
    assert await playing.end(within=60) == 0, playing.printed + playing.logged
    assert playing.printed.rstrip().endswith("Every expectation held.")


async def test_a_false_expectation_fails_the_script(desk, tmp_path):
    (tmp_path / "script.txt").write_text("> HELP\n< You have won a bicycle\n")
    playing = desk.run("demo", "--script", str(tmp_path / "script.txt"))
    assert await playing.end(within=60) == 1
    assert "! line 2: expected: You have won a bicycle" in playing.printed


async def test_a_new_line_passes_its_own_tests(desk, tmp_path):
    assert await desk.run("new", "acme-gym").end() == 0
    running = desk.run("-m", "pytest", "-q", program=sys.executable, cwd=tmp_path / "acme-gym")
    assert await running.end(within=60) == 0, running.printed + running.logged


@only_on_sqlite
async def test_a_text_from_the_command_line_is_sent_by_the_worker(business):
    await business.serve()
    texting = business.run("text", ANA, "We are open again!", "--line", "line:line")
    assert await texting.end() == 0
    assert re.fullmatch(r"txt_\w+\n", texting.printed)
    await business.phone().wait_for(1, timeout=PATIENCE)
    assert business.phone().screen == business.sent == ["We are open again!"]


async def test_the_doctor_says_how_things_are_and_whether_something_is_wrong(business):
    await business.serve()
    well = business.run("doctor", "line:line")
    assert await well.end() == 0
    lines = well.printed.splitlines()
    assert len(lines) == 4
    assert {line.split()[0] for line in lines} == {"ok"}
    business.environment["TWILIO_API_URL"] = "http://127.0.0.1:9"
    cut_off = business.run("doctor", "line:line")
    assert await cut_off.end() == 1
    assert [line.split()[0] for line in cut_off.printed.splitlines()] == ["ok", "ok", "ok", "wrong"]


@only_on_sqlite
async def test_a_picture_from_the_command_line_is_there_when_twilio_fetches_it(business, tmp_path):
    (tmp_path / "offer.png").write_bytes(PNG)
    await business.serve()
    texting = business.run("text", ANA, "Look!", "--picture", str(tmp_path / "offer.png"))
    assert await texting.end() == 0, texting.logged
    await business.phone().wait_for(1, timeout=PATIENCE)
    (link,) = business.phone().received[0].media_urls
    async with aiohttp.ClientSession() as session, session.get(link) as response:
        assert (response.status, response.content_type, await response.read()) == (200, "image/png", PNG)
