"""Workers on machines of their own: a network that loses everything is noticed, and what others did meanwhile stays."""

import asyncio
import contextlib
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg
import pytest

from replyline.db import open_db
from replyline.db.migrate import migrate
from tests.chaos.databases import SAFE, Restarts, temporary_folder
from tests.process.test_stop import all_is_done
from tests.support import postgres_server
from tests.support.cast import CLEO
from tests.support.databases import only_on_postgres
from tests.support.networks import Network, NoNetwork
from tests.support.processes import REPLYLINE, WORDS, events, has_printed, until
from tests.support.relays import Front

pytestmark = [pytest.mark.process, pytest.mark.long, pytest.mark.timeout(400), only_on_postgres]

NOTICED = 30.0  # seconds: 10 of silence, then a probe every 5, and 25 without an answer are enough
BUSY = 10.0  # what a busy machine takes longer


@pytest.fixture
def network():
    with ExitStack() as stack:
        try:
            yield stack.enter_context(Network())
        except NoNetwork as none:
            pytest.skip(f"needs network namespaces: {none}")


@pytest.fixture
def server_url(network):
    """A migrated PostgreSQL that listens at the bridge."""
    with temporary_folder() as folder:
        postgres_server.start(folder, postgres_server.OPTIONS | SAFE | {"listen_addresses": network.address})
        try:
            with (folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {network.subnet} trust\n")
            local = f"postgresql://postgres@/postgres?host={folder}"
            with psycopg.connect(local, autocommit=True) as admin:
                admin.execute("SELECT pg_reload_conf()")
            migrate(local)
            yield f"postgresql://postgres@{network.address}/postgres"
        finally:
            Restarts(folder).control("stop")


@pytest.fixture
async def machines(business, network, server_url):
    """Starts workers on machines of their own; whatever they need they reach at the bridge alone."""
    business.brain.delay = 0.1
    async with contextlib.AsyncExitStack() as stack:
        fronts = {}
        for name, url in (("TWILIO_API_URL", business.twilio.url), ("OPENAI_BASE_URL", business.model.url)):
            port = urlsplit(url).port
            fronts[name] = await stack.enter_async_context(Front(port, host=network.address))
            business.environment[name] = url.replace(f"127.0.0.1:{port}", f"{network.address}:{fronts[name].port}")
        business.environment["REPLYLINE_DATABASE_URL"] = server_url
        await business.serve("--no-worker")

        async def start(name):
            command = [*network.machine(name), str(REPLYLINE), "work", "line:line"]
            worker = business.run(*command[1:], program=command[0])
            await has_printed("Replyline works.", worker, within=90)
            return worker

        start.twilio_port = fronts["TWILIO_API_URL"].port
        yield start
        business.end_all()


@pytest.fixture
async def at_bridge(server_url):
    db = open_db(server_url)
    yield db
    await db.close()


async def test_a_worker_that_is_cut_off_is_replaced_and_does_nothing_twice_when_it_is_back(
    business, network, machines, at_bridge
):
    cut_off = await machines("a")
    business.brain.hold("first")
    await business.phone().text("Hi, I am guest 7.")
    await until(lambda: business.brain.thinking[7] == 1)
    network.unplug("a")
    unplugged = datetime.now(UTC)
    business.brain.let_go("first")
    other = await machines("b")
    await until(lambda: events([cut_off], "listener_lost"), 3 * NOTICED)
    lost = datetime.fromisoformat(events([cut_off], "listener_lost")[0]["timestamp"])
    assert (lost - unplugged).total_seconds() < NOTICED + BUSY
    await business.phone().wait_for(1, timeout=60)
    network.plug("a")
    await until(lambda: events([cut_off], "lease_lost"), 60)
    other.tell()
    await other.end()
    again = business.phone(CLEO)
    await again.text("Hi, I am guest 8.")
    await again.wait_for(1, timeout=30)
    await all_is_done(at_bridge)
    assert business.phone().screen == [WORDS.format(7)]
    assert again.screen == [WORDS.format(8)]
    assert sorted(business.sent) == [WORDS.format(7), WORDS.format(8)]
    assert business.bookings == [7, 8]


@pytest.mark.skipif(not shutil.which("iptables"), reason="needs iptables")
async def test_a_request_that_was_given_up_is_not_delivered_when_the_network_is_back(
    business, network, machines, at_bridge
):
    """It was written and never got through. After half a minute its text is taken for lost, and sent by another worker."""
    cut_off = await machines("a")
    await business.phone().text("Hi, I am guest 7.")
    await business.phone().wait_for(1, timeout=30)
    network.lose("a", machines.twilio_port)
    other = business.phone(CLEO)
    await other.text("Hi, I am guest 8.")
    await until(lambda: events([cut_off], "text_in_doubt"), 60)
    await machines("b")
    # Either may look into the doubt, and a look of the one that is cut off puts the certainty off by half a minute.
    await other.wait_for(1, timeout=240)
    network.lose("a", machines.twilio_port, no_more=True)
    await all_is_done(at_bridge)
    await asyncio.sleep(60)  # the kernel's next try, had it kept the request, would come within that
    assert other.screen == [WORDS.format(8)]
    assert sorted(business.sent) == [WORDS.format(7), WORDS.format(8)]
