"""A phone on your desk: it texts the business, and shows what comes back."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from replyline.simulator.account import NotOurNumber
from replyline.simulator.exchange import ReceivedText


class Carrier(Protocol):
    """Who takes a phone's texts to Twilio."""

    @property
    def numbers(self) -> list[str]: ...

    async def text_from_phone(
        self, *, from_: str, to: str, body: str, media: Sequence[tuple[str, bytes]] = ()
    ) -> str: ...


class SimulatedPhone:
    """A person's phone. `received` holds everything that came, `screen` only the words."""

    def __init__(self, number: str, carrier: Carrier) -> None:
        self.number = number
        self.received: list[ReceivedText] = []
        self.texts_with: str | None = None
        self._read = 0
        self._carrier = carrier
        self._arrived = asyncio.Event()

    @property
    def screen(self) -> list[str]:
        return [text.body for text in self.received]

    async def text(self, body: str = "", *, media: Sequence[tuple[str, bytes]] = (), to: str | None = None) -> str:
        """Text the business, and wait until its server has answered Twilio. Gives the message's SID.

        Without `to` it goes to whom this phone texts with, else to whoever texted last, else to the account's first
        number. `media` are pairs of content type and bytes.
        """
        return await self._carrier.text_from_phone(
            from_=self.number, to=to or self.texts_with or self._usual_number(), body=body, media=media
        )

    async def wait_for(self, what: int | Callable[[ReceivedText], bool] = 1, timeout: float = 5.0) -> ReceivedText:
        """Wait until that many texts have come, or one that `what` is true of. Raises `TimeoutError`."""
        try:
            async with asyncio.timeout(timeout):
                while (found := self._find(what)) is None:
                    self._arrived.clear()
                    await self._arrived.wait()
                return found
        except TimeoutError:
            raise TimeoutError(f"Nothing like it came within {timeout} s. The screen shows {self.screen}.") from None

    async def next_reply(self, timeout: float = 5.0) -> str:
        """The words of the next text that was not read yet, in the order they came. Raises `TimeoutError`."""
        text = await self.wait_for(self._read + 1, timeout)
        self._read += 1
        return text.body

    def show(self, text: ReceivedText) -> None:
        """A text arrives. The simulator calls this."""
        self.received.append(text)
        self._arrived.set()

    def _find(self, what: int | Callable[[ReceivedText], bool]) -> ReceivedText | None:
        if isinstance(what, int):
            return self.received[what - 1] if len(self.received) >= what > 0 else None
        return next((text for text in self.received if what(text)), None)

    def _usual_number(self) -> str:
        numbers = [text.sender for text in self.received if text.sender in self._carrier.numbers][-1:]
        numbers = numbers or list(self._carrier.numbers)
        if not numbers:
            raise NotOurNumber
        return numbers[0]
