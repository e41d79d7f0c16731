"""Where alerts end up in a test: a webhook, a Slack, a PagerDuty and a mail server, all on this machine."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any

SECRET_PATH = "s3cr3t-path"


@dataclass
class Ends:
    """Everything that was told, by path; `status` is what the next requests are answered."""

    url: str = ""
    got: list[tuple[str, Any]] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    once: dict[str, int] = field(default_factory=dict)  # what the next request alone is answered
    mails: list[str] = field(default_factory=list)
    smtp_port: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def webhook(self, path: str = SECRET_PATH) -> str:
        return f"json://{self.url.removeprefix('http://')}/{path}"

    def mail(self) -> str:
        return f"mailto://127.0.0.1:{self.smtp_port}?from=replyline@example.com&to=ops@example.com"

    def of(self, path: str = SECRET_PATH) -> list[Any]:
        return [body for at, body in self.got if at == f"/{path}"]

    def titles(self, path: str = SECRET_PATH) -> list[str]:
        return [body["title"] for body in self.of(path)]

    async def closing(self, doing: Awaitable[None], writer: asyncio.StreamWriter) -> None:
        """See a connection to its end, also when the test ends first."""
        here = asyncio.current_task()
        assert here is not None
        self.serving.add(here)
        here.add_done_callback(self.serving.discard)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await doing
        finally:
            writer.transport.abort() if here.cancelling() else writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.lower().splitlines() if "content-length" in line)
        body = json.loads(await reader.readexactly(length))
        path = head.split()[1]
        status = self.once.pop(path, None) or self.status.get(path, 200)
        if status == 0:
            await asyncio.sleep(3600)
        if status < 300:
            self.got.append((path, body))
        more = f"Location: {self.url}/elsewhere\r\n" if 300 <= status < 400 else ""
        writer.write(f"HTTP/1.1 {status} So\r\n{more}Content-Length: 2\r\nConnection: close\r\n\r\nok".encode())
        await writer.drain()

    async def take_mail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Enough of SMTP for one mail."""
        writer.write(b"220 here\r\n")
        is_mail, mail = False, ""
        while line := (await reader.readline()).decode():
            if is_mail:
                mail += line
                if line == ".\r\n":
                    is_mail = False
                    self.mails.append(mail)
                    writer.write(b"250 taken\r\n")
                continue
            is_mail = line.upper().startswith("DATA")
            writer.write(b"354 go on\r\n" if is_mail else b"250 ok\r\n")
            if line.upper().startswith("QUIT"):
                break


@contextlib.asynccontextmanager
async def alert_ends() -> AsyncIterator[Ends]:
    ends = Ends()
    async with (
        await asyncio.start_server(lambda r, w: ends.closing(ends.serve(r, w), w), "127.0.0.1", 0) as http,
        await asyncio.start_server(lambda r, w: ends.closing(ends.take_mail(r, w), w), "127.0.0.1", 0) as smtp,
    ):
        ends.url = f"http://127.0.0.1:{http.sockets[0].getsockname()[1]}"
        ends.smtp_port = smtp.sockets[0].getsockname()[1]
        yield ends
        for each in ends.serving:
            each.cancel()
        await asyncio.gather(*ends.serving, return_exceptions=True)
