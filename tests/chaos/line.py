"""The business that everything happens to: its line file, as text."""

LINE = '''
import asyncio
import random
from contextlib import suppress
from pathlib import Path

from replyline import ActionContext, Line

LEDGER = Path(__file__).parent / "ledger"
line = Line(
    name="Gym",
    instructions="You book.",
    settle=0.5,
    settle_at_most=2,
    holding_after=None,
    segments_per_second=10_000,
)


@line.action
async def book_class(ctx: ActionContext, guest: int) -> str:
    """Book a class for the person we are texting with."""
    await asyncio.sleep(random.uniform(0, 0.2))
    with suppress(FileExistsError):  # called again with the same key, it changes nothing
        (LEDGER / f"{guest} {ctx.once}").touch(exist_ok=False)
    await asyncio.sleep(random.uniform(0, 0.2))
    return "booked"
'''
