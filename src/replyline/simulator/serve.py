"""The simulated Twilio on a port of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from replyline.simulator.rest import DROP


class DroppableProtocol(HttpToolsProtocol):
    """uvicorn's, where an app may close the connection instead of answering. Give it to uvicorn as `http`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {DROP: {"close": self.transport.abort}}


class InProcessServer(uvicorn.Server):
    """uvicorn's, which leaves the process's signals alone and stops when it is told rather than at its next look."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stop = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.stop.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serve(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an ASGI app in this event loop; gives its address. Port 0 takes a free one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=DroppableProtocol,
        lifespan="auto",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = InProcessServer(config)
    serving = asyncio.get_running_loop().create_task(server.serve())
    try:
        while not server.started:
            if serving.done():
                serving.result()
                raise OSError(f"Nothing can be served on {host}:{port}.")
            await asyncio.sleep(0.005)
        bound = server.servers[0].sockets[0].getsockname()
        yield f"http://{host}:{bound[1]}"
    finally:
        server.stop.set()
        await serving
