"""The world outside, as fast as it can be: a Twilio that takes every text, and an OpenAI-compatible model."""

import asyncio
import json
import os
import re
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qs

from bench.models import CALL, REPLY
from bench.requests import ACCOUNT_SID

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
Respond = Callable[[bytes], tuple[int, dict[str, object]]]


class Twilio:
    """Counts the texts it was given."""

    def __init__(self) -> None:
        self.texts = 0
        self.expected = 0
        self.has_all = asyncio.Event()

    def expect(self, how_many: int) -> None:
        self.expected = self.texts + how_many
        self.has_all.clear()

    def respond(self, body: bytes) -> tuple[int, dict[str, object]]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.texts += 1
        if self.texts == self.expected:
            self.has_all.set()
        sid = f"SM{os.urandom(16).hex()}"
        path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}"
        now = "Mon, 02 Mar 2026 18:00:00 +0000"
        return 201, {
            "account_sid": ACCOUNT_SID, "api_version": "2010-04-01", "body": form["Body"], "date_created": now,
            "date_sent": None, "date_updated": now, "direction": "outbound-api", "error_code": None,
            "error_message": None, "from": form["From"], "messaging_service_sid": None, "num_media": "0",
            "num_segments": "1", "price": None, "price_unit": "USD", "sid": sid, "status": "queued",
            "subresource_uris": {"media": f"{path}/Media.json"}, "to": form["To"], "uri": f"{path}.json",
        }  # fmt: skip


def openai(body: bytes) -> tuple[int, dict[str, object]]:
    """Chat Completions: a call first, then a text."""
    name, arguments = CALL
    has_acted = json.loads(body)["messages"][-1]["role"] == "tool"
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    message: dict[str, object] = {"role": "assistant", "content": REPLY if has_acted else None}
    message |= {} if has_acted else {"tool_calls": [call]}
    return 200, {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1772474400,
        "model": "bench",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop" if has_acted else "tool_calls"}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 30, "total_tokens": 930},
    }


class Responder(asyncio.Protocol):
    """Just enough HTTP to answer POSTs."""

    def __init__(self, respond: Respond) -> None:
        self._respond, self._got = respond, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(b"\r\n\r\n")) >= 0:
            found = LENGTH.search(self._got, 0, end)
            length = int(found[1]) if found else 0
            if len(self._got) < end + 4 + length:
                return
            body, self._got = self._got[end + 4 : end + 4 + length], self._got[end + 4 + length :]
            status, answer = self._respond(body)
            content = json.dumps(answer).encode()
            self._transport.write(
                b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (status, len(content), content)
            )


async def listen(respond: Respond) -> int:
    """Answer POSTs at a free port, as long as the loop runs."""
    server = await asyncio.get_running_loop().create_server(lambda: Responder(respond), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port
