"""A server that speaks OpenAI's two wires, and refuses what the real one refuses.

async with OpenAIServer(brain) as server: ... build_model(..., base_url=server.url)

`brain(asked) -> Reply` decides. Everything asked is kept in `server.asked`. As a program, for trying things by hand:
python -m tests.llm.openai_server 8901
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

from aiohttp import web

from tests.llm.openai_wire import WIRES, Asked, BadRequest, Call, Reply, Wire

Brain = Callable[[Asked], Reply | Awaitable[Reply]]


def book_then_confirm(asked: Asked) -> Reply:
    """One action, then the answer."""
    if asked.last.role == "output":
        return Reply(text="You're booked for yoga on Tue Nov 24 at 6pm.")
    arguments = {"service": "yoga", "starts_at": "2026-11-24T18:00:00", "notes": ""}
    return Reply(calls=[Call("schedule_appointment", arguments)])


@dataclass
class OpenAIServer:
    brain: Brain = book_then_confirm
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> "OpenAIServer":
        await self.listen(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def listen(self, port: int) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/v1/models", self._models)
        for wire in WIRES:
            app.router.add_post(wire.path, self._answer_on(wire))
        app.router.add_route("*", "/{other:.*}", self._unknown)
        self._ids = count(1)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    def _answer_on(self, wire: Wire) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            try:
                asked = wire.read(body, dict(request.headers))
            except BadRequest as bad:
                return error(400, str(bad), "invalid_request_error")
            self.asked.append(asked)
            reply = self.brain(asked)
            reply = reply if isinstance(reply, Reply) else await reply
            await asyncio.sleep(reply.delay)
            return self._as_response(reply, wire, asked, request)

        return answer

    def _as_response(self, reply: Reply, wire: Wire, asked: Asked, request: web.Request) -> web.StreamResponse:
        if reply.is_dropped and request.transport:
            request.transport.close()
        if reply.raw is not None:
            return web.Response(body=reply.raw, status=reply.status, content_type="application/json")
        if reply.status != 200:
            kind = "server_error" if reply.status >= 500 else "invalid_request_error"
            return error(reply.status, reply.text or "made to fail", kind, code=reply.code, headers=reply.headers)
        return web.json_response(wire.write(reply, asked, next(self._ids)), headers=reply.headers)

    async def _models(self, _: web.Request) -> web.Response:
        model = {"id": "test-model", "object": "model", "created": 0, "owned_by": "tests"}
        return web.json_response({"object": "list", "data": [model]})

    async def _unknown(self, request: web.Request) -> web.Response:
        return error(404, f"Unknown request URL: {request.path}", "invalid_request_error", code="unknown_url")


def error(
    status: int, message: str, kind: str, *, code: str | None = None, headers: dict[str, str] | None = None
) -> web.Response:
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return web.json_response(body, status=status, headers=headers)


async def main(port: int) -> None:
    server = OpenAIServer()
    await server.listen(port)
    print(server.url)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8901))
