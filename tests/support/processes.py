"""A business that runs as real processes, with its Twilio and its model in the test.

The commands are the ones people type. What they hold up for the test are files beside the line file.
"""

import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import aiohttp

from replyline.simulator import INSTANT, SimulatedPhone, SimulatedTwilio
from tests.llm.openai_server import OpenAIServer
from tests.llm.openai_wire import Asked, Call, Reply
from tests.support.cast import ANA, GYM_NUMBER
from tests.support.gate import Gate
from tests.support.launcher import Forked, Launcher

REPLYLINE = Path(sys.executable).with_name("replyline")
PATIENCE = 30.0  # seconds; machines that test are busy
WORDS = "You're booked, guest {}."

LINE = '''
import asyncio
import fcntl
import time
from pathlib import Path

from replyline import ActionContext, Line, Send

HERE = Path(__file__).parent
line = Line(
    name="Gym",
    instructions="You book.",
    settle=0.05,
    settle_at_most=0.2,
    holding_after=None,
    holds_notices=False,
    notices_need="none",
    introduces=False,
)


@line.action
async def book_class(ctx: ActionContext, guest: int) -> str:
    """Book a class for the person we are texting with."""
    note(f"begin {guest}")
    await while_there("hold-before")
    book(ctx.once, guest)
    await while_there("hold-after")
    note(f"end {guest}")
    return "booked"


@line.rule
def unhurried(facts, now):
    while (HERE / "hold-leaving").exists():
        (HERE / "is-leaving").touch()
        time.sleep(0.01)
    return Send()


def book(once: str, guest: int) -> None:
    with (HERE / "bookings").open("a+") as bookings:
        fcntl.flock(bookings, fcntl.LOCK_EX)
        bookings.seek(0)
        if once not in bookings.read().split():
            bookings.write(f"{once} {guest}\\n")


def note(words: str) -> None:
    with (HERE / "calls").open("a") as calls:
        calls.write(f"{words}\\n")


async def while_there(name: str) -> None:
    while (HERE / name).exists():
        await asyncio.sleep(0.01)
'''


class Brain:
    """Books for the guest whose number is in the text, then says so. Either answer can be held back."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, int]] = Counter()  # how often (first or second answer, guest)
        self.thinking: Counter[int] = Counter()  # requests that are open, by guest
        self.overlapped: set[int] = set()
        self.delay = 0.0
        self._held: dict[str, asyncio.Event] = {}

    def hold(self, which: str) -> None:
        """Hold back every answer of one kind, or to one guest: `first`, `second`, `guest 7`."""
        self._held[which] = asyncio.Event()

    def let_go(self, which: str) -> None:
        self._held.pop(which).set()

    async def __call__(self, asked: Asked) -> Reply:
        which = "second" if asked.last.role == "output" else "first"
        guest = int(re.findall(r"guest (\d+)", "\n".join(asked.said_by("user")))[-1])
        self.asked[which, guest] += 1
        self.thinking[guest] += 1
        if self.thinking[guest] > 1:
            self.overlapped.add(guest)
        try:
            await asyncio.sleep(self.delay)
            for held in (self._held.get(which), self._held.get(f"guest {guest}")):
                if held is not None:
                    await held.wait()
        finally:
            self.thinking[guest] -= 1
        if which == "second":
            return Reply(text=WORDS.format(guest))
        return Reply(calls=[Call("book_class", {"guest": guest})])


@dataclass
class Running:
    """A command at work."""

    process: "subprocess.Popen[bytes] | Forked"
    out: Path
    log: Path

    @property
    def printed(self) -> str:
        return self.out.read_text()

    @property
    def logged(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        """kill -9, and whatever it has started with it."""
        if self.process.poll() is None:  # else its PID may be somebody else's by now
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def tell(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    async def end(self, within: float = PATIENCE) -> int:
        """Its exit code, once it has ended by itself. Raises `TimeoutError`."""
        await until(lambda: self.process.poll() is not None, within, lambda: f"It goes on:\n{self.logged[-3000:]}")
        return self.process.returncode


@dataclass
class Business:
    folder: Path
    database_url: str
    twilio: SimulatedTwilio
    model: OpenAIServer
    brain: Any
    port: int
    environment: dict[str, str]
    gate: Gate | None = None
    launcher: Launcher | None = None
    started: list[Running] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: str, program: str = str(REPLYLINE), cwd: Path | None = None, without: str = "") -> Running:
        """Start a command in the line's folder, perhaps with a setting fewer."""
        environment = {name: value for name, value in self.environment.items() if name != without}
        number = len(self.started)
        out, log = self.folder / f"{number}.out", self.folder / f"{number}.log"
        with out.open("wb") as o, log.open("wb") as e:
            if self.launcher is not None and program == str(REPLYLINE):
                process = self.launcher.start(list(command), cwd or self.folder, environment, o, e)
            else:
                process = spawn([program, *command], cwd or self.folder, environment, o, e)
        running = Running(process, out, log)
        self.started.append(running)
        return running

    async def serve(self, *more: str) -> Running:
        """A web process that is ready; it works too, unless told otherwise."""
        running = self.run("serve", "line:line", "--port", str(self.port), *more)
        await answers(f"{self.url}/readyz", running)
        return running

    async def work(self) -> Running:
        """A worker that has begun."""
        running = self.run("work", "line:line")
        await has_printed("Replyline works.", running)
        return running

    def phone(self, number: str = ANA) -> SimulatedPhone:
        return self.twilio.phone(number)

    def hold(self, place: str) -> None:
        """Hold the action up `before` or `after` it takes effect, or a text that is `leaving` while it is judged."""
        (self.folder / f"hold-{place}").touch()

    def let_go(self, place: str) -> None:
        (self.folder / f"hold-{place}").unlink()

    @property
    def bookings(self) -> list[int]:
        """The guests that are booked, once for each effect the action had."""
        return [int(line.split()[1]) for line in self._lines("bookings")]

    @property
    def calls(self) -> list[str]:
        """When the action was called and when it ended: `begin 7`, `end 7`."""
        return self._lines("calls")

    def _lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []

    @property
    def is_leaving(self) -> bool:
        """Whether a text is being judged and held."""
        return (self.folder / "is-leaving").exists()

    @property
    def sent(self) -> list[str]:
        """The words of every text that Twilio took from us."""
        return [message.body for message in self.twilio.messages if message.direction != "inbound"]

    def end_all(self) -> None:
        for running in self.started:
            running.kill()


def spawn(
    command: list[str], folder: Path, environment: dict[str, str], out: IO[bytes], log: IO[bytes]
) -> "subprocess.Popen[bytes]":
    """Start a program in a process group of its own."""
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True
    )


def open_business(
    folder: Path,
    database_url: str,
    twilio: SimulatedTwilio,
    model: OpenAIServer,
    *,
    line: str = LINE,
    retries: str = "",
) -> Business:
    """Write the line file, and have Twilio call where its server will be; `retries` is the fragment of that URL."""
    (folder / "line.py").write_text(line)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    twilio.add_number(GYM_NUMBER, sms_url=f"{url}/webhooks/twilio/sms{retries}")
    environment = bare_environment() | {
        "TWILIO_ACCOUNT_SID": twilio.account_sid,
        "TWILIO_AUTH_TOKEN": twilio.auth_token,
        "TWILIO_PHONE_NUMBER": GYM_NUMBER,
        "TWILIO_API_URL": twilio.url,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": model.url,
        "REPLYLINE_MODEL": "test-model",
        "REPLYLINE_DATABASE_URL": database_url,
        "REPLYLINE_PUBLIC_URL": url,
    }
    return Business(folder, database_url, twilio, model, model.brain, port, environment)


def a_twilio() -> SimulatedTwilio:
    return SimulatedTwilio(delivery=INSTANT)


def bare_environment() -> dict[str, str]:
    """What a program needs, and none of this run's own settings."""
    ours = ("TWILIO_", "OPENAI_", "REPLYLINE_", "PYTEST_", "COV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def free_port() -> int:
    """A port that stays free while a server is started again: none of those that connections going out are given."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listening, suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port


async def answers(url: str, running: Running, within: float = PATIENCE) -> None:
    """Wait until an address answers 200."""
    async with aiohttp.ClientSession() as session:
        give_up = time.monotonic() + within
        while True:
            with suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            if running.process.poll() is not None or time.monotonic() > give_up:
                raise AssertionError(f"{url} does not answer:\n{running.printed}\n{running.logged[-3000:]}")
            await asyncio.sleep(0.02)


async def has_printed(words: str, running: Running, within: float = PATIENCE) -> None:
    await until(
        lambda: words in running.printed or running.process.poll() is not None, within, lambda: running.logged[-3000:]
    )
    assert words in running.printed, running.logged[-3000:]


def events(processes: Iterable[Running], name: str) -> list[dict[str, Any]]:
    """What was logged under this name, process after process."""
    entries = [json.loads(line) for each in processes for line in each.logged.splitlines() if line.startswith("{")]
    return [entry for entry in entries if entry["event"] == name]


async def until(
    condition: Callable[[], bool], within: float = PATIENCE, otherwise: Callable[[], str] = lambda: ""
) -> None:
    """Wait for something to become true. Raises `AssertionError`."""
    give_up = time.monotonic() + within
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"Not within {within:g} s. {otherwise()}")
        await asyncio.sleep(0.01)
