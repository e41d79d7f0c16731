"""Kills processes at moments drawn from the seed, and starts them again at once; the database fails too, if it may."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.chaos.brain import Brain
from tests.chaos.databases import Trouble
from tests.chaos.people import People
from tests.chaos.plan import Plan
from tests.support.processes import Business, Running, answers, has_printed

# What one moment takes: the process that Twilio calls and that works, the one that only works, or both.
VICTIMS = (("web",), ("worker",), ("web", "worker"))
WEIGHTS = (5, 3, 3)
START = 60.0  # seconds in which a process has to be up; the machine is busy


@dataclass
class Monkey:
    """Two processes of the business, and what is done to them."""

    plan: Plan
    business: Business
    brain: Brain
    people: People
    trouble: Trouble | None
    done: Counter[str] = field(default_factory=Counter)
    in_flight: list[int] = field(default_factory=list)  # conversations, at each moment
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    tired: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[str, Running] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)

    async def start(self) -> None:
        await asyncio.gather(self._start("web"), self._start("worker"))

    async def rage(self) -> None:
        """Go on until it is `tired`; `enough` is set when there were as many kills as planned."""
        rng = Random(f"{self.plan.seed} monkey")
        while not self.tired.is_set():
            await self._let_happen(rng.randint(0, self.plan.gap))
            (victims,) = rng.choices(VICTIMS, WEIGHTS)
            if self.trouble is not None and rng.random() < self.plan.troubles:
                await self.trouble.strike(rng)
                continue
            for name in victims:
                self._kill(name)
            self.done["moments"] += 1
            self.in_flight.append(self.people.in_flight)
            await asyncio.gather(*(self._start(name) for name in victims))
            if self.done["moments"] >= self.plan.kills:
                self.enough.set()

    async def _let_happen(self, how_much: int) -> None:
        """Wait for so many events: seconds would mean little on a slow machine and much on a fast one."""
        until, give_up = self._events() + how_much, time.monotonic() + self.plan.pause
        while self._events() < until and time.monotonic() < give_up and not self.tired.is_set():
            await asyncio.sleep(0.005)

    def _events(self) -> int:
        return len(self.people.acknowledged) + len(self.people.requests) + self.brain.answers

    async def restart_all(self) -> None:
        """As a person who looks after it would, so that whatever waits for a start happens."""
        for name in ("web", "worker"):
            self._kill(name)
        await self.start()

    def _kill(self, name: str) -> None:
        self._running[name].kill()
        self.brain.has_died(self._keys[name])
        self.done[f"{name} killed"] += 1

    async def _start(self, name: str) -> None:
        """Start it, again when it could not: its supervisor would."""
        while True:
            self.done[f"{name} started"] += 1
            self._keys[name] = f"sk-{name}-{self.done[f'{name} started']}"
            self.business.environment["OPENAI_API_KEY"] = self._keys[name]
            if name == "web":
                running = self.business.run("serve", "line:line", "--port", str(self.business.port))
            else:
                running = self.business.run("work", "line:line")
            self._running[name] = running
            try:
                if name == "web":
                    await answers(f"{self.business.url}/readyz", running, START)
                else:
                    await has_printed("Replyline works.", running, START)
                return
            except AssertionError:
                if self.trouble is None:
                    raise
                running.kill()
                self.brain.has_died(self._keys[name])
                self.done[f"{name} could not start"] += 1
                await asyncio.sleep(0.2)
