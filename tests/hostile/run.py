"""One run of hostile requests against one database: what is promised is looked at after each handful."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from replyline.db.tables import texts
from tests.hostile.logs import logged, taken
from tests.hostile.people import MARK, PHONE, SIGN_UP_SECRET, TOKEN
from tests.hostile.reading import read_all, take_all_turns
from tests.hostile.requests import Hostile, a_case
from tests.hostile.sign_ups import SignUp, a_sign_up, try_sign_ups
from tests.hostile.target import Target, a_target

HANDFUL = 200
SIGN_UPS = 25  # with each handful
WARM = 10_000  # requests after which most of what is remembered is there
MOST_GROWTH = 40.0  # MB after that; the database's own cache, and ours of numbers, may still fill up
SECRETS = (MARK, TOKEN, SIGN_UP_SECRET, PHONE[1:])


@dataclass
class Run:
    """What came of it."""

    seed: int
    count: int = 0
    sign_ups: int = 0
    turns: int = 0
    seconds: float = 0.0
    tally: Counter[tuple[str, int]] = field(default_factory=Counter)
    memory: list[tuple[int, float]] = field(default_factory=list)  # MB after so many requests

    @property
    def growth(self) -> float:
        """MB that the process grew by once it was warm, at the latest in the second half."""
        warm = [mb for count, mb in self.memory if count >= max(WARM, self.count / 2)]
        return max(warm) - warm[0] if warm else 0.0


async def fuzz(
    database_url: str,
    folder: Path,
    *,
    seed: int,
    count: int,
    first: int = 0,
    turns_every: int = 20,
    with_sign_ups: bool = True,
    tell: Callable[[str], None] = lambda words: None,
) -> Run:
    """Send `count` requests. Raises `AssertionError` with how to replay the one that broke a promise."""
    run, began = Run(seed=seed), time.monotonic()
    async with a_target(database_url, folder) as target:
        with logged() as log:
            run.tally = target.tally
            for n, start in enumerate(range(first, first + count, HANDFUL)):
                cases = [a_case(seed, number) for number in range(start, min(start + HANDFUL, first + count))]
                accepted = [case for case in cases if case.is_accepted]
                await target.must_leave_no_trace([case for case in cases if not case.is_accepted])
                await target.must_be_kept_right(accepted)
                await target.app.db.run(read_stored, [case.sid for case in accepted])
                sign_ups = some_sign_ups(target, seed, n * SIGN_UPS, SIGN_UPS if with_sign_ups else 0)
                await try_sign_ups(target, sign_ups)
                if n % turns_every == turns_every - 1:
                    run.turns += await take_all_turns(target, folder)
                must_keep_quiet(taken(log), [*cases, *sign_ups])
                target.clock.advance(seconds=1)
                run.count += len(cases)
                run.sign_ups += len(sign_ups)
                if n % 25 == 24:
                    run.memory.append((run.count, resident()))
                    so_far = f"{run.memory[-1][1]:.0f} MB  {time.monotonic() - began:.0f} s"
                    tell(f"{run.count:>7} requests  {run.turns:>5} turns  {so_far}")
            assert len(target.limit) <= 10_000
            assert run.growth < MOST_GROWTH, f"memory grew by {run.growth:.0f} MB: {run.memory}"
    run.seconds = time.monotonic() - began
    return run


async def fuzz_one_sign_up(database_url: str, folder: Path, *, seed: int, number: int) -> None:
    """Send this sign-up alone, as a run would."""
    async with a_target(database_url, folder) as target:
        with logged() as log:
            cases = some_sign_ups(target, seed, number, 1)
            await try_sign_ups(target, cases)
            must_keep_quiet(taken(log), cases)


def some_sign_ups(target: Target, seed: int, first: int, count: int) -> list[SignUp]:
    now = target.clock.now().timestamp()
    return [a_sign_up(seed, number, now) for number in range(first, first + count)]


def read_stored(conn: Any, sids: list[str]) -> None:
    read_all(conn.execute(select(texts).where(texts.c.is_inbound, texts.c.sid.in_(sids))).all())


def must_keep_quiet(written: str, cases: Sequence[Hostile]) -> None:
    """No number, body, token, query or signature is in the log."""
    for secret in SECRETS:
        must_lack(written, secret, f"{cases[0].replay()}, or one of the {len(cases) - 1} after it")
    sids = {case.sid for case in cases}  # which the log is to hold, also when a request has one as its sender
    for case in cases:
        sender, signature = case.said.get("From", ""), case.signature or ""
        if len(sender) > 9 and sender not in sids:
            must_lack(written, sender, case.replay())
        if len(signature) > 8:
            must_lack(written, signature, case.replay())


def must_lack(written: str, secret: str, replay: str) -> None:
    at = written.find(secret)
    assert at < 0, f"{secret!r} is in the log: {written[max(0, at - 300) : at + 300]}, from {replay}"


def resident() -> float:
    """MB of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
