"""The people: each texts the gym once, some write again before they are answered, some opt out in the middle.

A text carries a tag such as (7.1), and the answer names the tags it has read. So a screen alone tells what was lost
and what was answered twice.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from replyline.simulator import Change, Kind, SimulatedTwilio
from replyline.simulator.faults import RestRequest
from tests.chaos.plan import Plan

AREAS = ("212", "312", "415", "512", "617", "702", "303", "206", "404", "919")
PAUSE = 1.0  # seconds before somebody texts again what nobody took
MOST_TRIES = 200  # of one text, while nobody takes it


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of ours that asked Twilio to send a text."""

    phone: str
    at: float


@dataclass
class People:
    """Everyone who texts, and what they and Twilio saw."""

    plan: Plan
    twilio: SimulatedTwilio
    begun: int = 0
    written: Counter[str] = field(default_factory=Counter)  # phones
    acknowledged: dict[str, float] = field(default_factory=dict)  # SIDs: when our server answered 200
    stopped: dict[str, float] = field(default_factory=dict)  # phones: when their STOP was answered with 200
    stopping: set[str] = field(default_factory=set)  # phones that have ever texted STOP
    requests: list[Request] = field(default_factory=list)
    unreachable: set[str] = field(default_factory=set)  # phones that a text of ours did not come through to
    gave_up: set[str] = field(default_factory=set)  # phones that waited for an answer in vain
    _free: asyncio.Semaphore = field(init=False)
    _talking: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.plan.at_once)
        self.twilio.on_change(self._note)
        self.twilio.faults.of_requests.insert(0, self._note_request)

    async def talk(self, until: "asyncio.Event") -> None:
        """Keep as many conversations in flight as the plan says, until told to stop; then let them end."""
        while self.begun < self.plan.conversations or not until.is_set():
            await self._free.acquire()
            self.begun += 1
            task = asyncio.create_task(self._converse(self.begun))
            self._talking.add(task)
            task.add_done_callback(self._left)
            await asyncio.sleep(0.01)

    @property
    def in_flight(self) -> int:
        """How many conversations are going on."""
        return len(self._talking)

    async def end(self) -> None:
        """Wait until everyone has put the phone away."""
        while self._talking:
            await asyncio.gather(*self._talking)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._talking.discard(task)
        self._free.release()

    async def _converse(self, guest: int) -> None:
        rng = Random(f"{self.plan.seed} guest {guest}")
        phone = number_of(guest)
        heard: set[str] = set()
        await self._write(phone, guest, "Hi, I am guest {}.", heard)
        if rng.random() < self.plan.second_texts:
            await asyncio.sleep(rng.uniform(0, 3))
            await self._write(phone, guest, "One more thing from guest {}.", heard)
        if rng.random() < self.plan.stops:
            await asyncio.sleep(rng.uniform(0, 2))
            await self._stop(phone)
            await self._write(phone, guest, "Are you still there? It is guest {}.", set())
            return
        await self._wait_for(phone, heard)

    async def _write(self, phone: str, guest: int, words: str, heard: set[str]) -> None:
        """Text it, again when nobody took it. What was taken is put into `heard`."""
        for _ in range(MOST_TRIES):
            self.written[phone] += 1
            tag = f"({guest}.{self.written[phone]})"
            sid = await self.twilio.phone(phone).text(f"{words.format(guest)} {tag}")
            if sid in self.acknowledged:
                heard.add(tag)
                return
            await asyncio.sleep(PAUSE)

    async def _stop(self, phone: str) -> None:
        self.stopping.add(phone)
        for _ in range(MOST_TRIES):
            sid = await self.twilio.phone(phone).text("STOP")
            if sid in self.acknowledged:
                self.stopped[phone] = self.acknowledged[sid]
                return
            await asyncio.sleep(PAUSE)

    async def _wait_for(self, phone: str, heard: set[str]) -> None:
        """Wait until the screen names every text that was taken, or shows that we cannot answer."""
        give_up = time.monotonic() + self.plan.patience
        while phone not in self.unreachable and not answered(self.twilio.phone(phone).screen, heard):
            if time.monotonic() > give_up:
                self.gave_up.add(phone)
                return
            await asyncio.sleep(0.2)

    def _note(self, change: Change) -> None:
        if change.kind is Kind.WEBHOOK and change.status == "200" and change.sid:
            self.acknowledged.setdefault(change.sid, time.time())
        elif change.kind is Kind.STATUS and change.status in {"undelivered", "failed"}:
            self.unreachable.add(change.to)

    def _note_request(self, request: RestRequest) -> None:
        if request.is_create:
            self.requests.append(Request(phone=request.fields["To"], at=time.time()))


def answered(screen: list[str], heard: set[str]) -> bool:
    words = " ".join(screen)
    return all(tag in words for tag in heard) or "Sorry, we can't answer" in words


def number_of(guest: int) -> str:
    return f"+1{AREAS[guest % len(AREAS)]}{2_000_000 + guest}"
