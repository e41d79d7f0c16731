"""A gate before the simulated Twilio: requests that send a text wait there, and so do Twilio's answers to them."""

import asyncio
from collections import Counter
from typing import Any, Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from replyline.simulator import SimulatedTwilio

Side = Literal["requests", "answers"]


class Gate:
    """Open until something is held. Stands before everything that `twilio` serves from now on."""

    def __init__(self, twilio: SimulatedTwilio) -> None:
        self.waiting: Counter[Side] = Counter()
        self._app: ASGIApp = twilio.app
        self._held: dict[Side, asyncio.Future[bool]] = {}
        twilio.app = self  # type: ignore[assignment]

    def hold(self, side: Side) -> None:
        """Hold requests back, which Twilio then knows nothing of; or its answers, when it has done what was asked."""
        self._held[side] = asyncio.get_running_loop().create_future()

    def let_go(self, side: Side) -> None:
        """What is held arrives now, whether or not somebody still waits for the answer."""
        self._held.pop(side).set_result(True)

    def lose(self, side: Side) -> None:
        """What is held never arrives."""
        self._held.pop(side).set_result(False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/Messages.json"):
            await self._app(scope, receive, send)
            return
        body = await body_of(receive)
        if await self._passes("requests"):
            await self._app(scope, body, self._held_back(send))
        else:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body"})

    def _held_back(self, send: Send) -> Any:
        async def held_back(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._passes("answers")
            await send(message)

        return held_back

    async def _passes(self, side: Side) -> bool:
        if side not in self._held:
            return True
        self.waiting[side] += 1
        try:
            return await asyncio.shield(self._held[side])
        finally:
            self.waiting[side] -= 1


async def body_of(receive: Receive) -> Receive:
    """The request's body, read now: who sent it may be gone when it is let go."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)

    ahead: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return ahead.pop() if ahead else await receive()

    return again
