"""The world outside, as fast as it can be: a Twilio that takes every text, and an OpenAI-compatible model."""

import asyncio
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qs

from bench.models import CALL, REPLY
from bench.requests import ACCOUNT_SID

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
Respond = Callable[[bytes], tuple[int, dict[str, object]]]


class Twilio:
    """Counts the texts it was given, and knows which they were."""

    def __init__(self) -> None:
        self.texts = 0
        self.expected = 0
        self.has_all = asyncio.Event()
        self.by_id: Counter[str] = Counter()  # our ids, from the address it is to report to
        self.by_phone: Counter[str] = Counter()
        self.last_at = 0.0

    def expect(self, how_many: int) -> None:
        self.expected = self.texts + how_many
        self.has_all.clear()

    def respond(self, body: bytes) -> tuple[int, dict[str, object]]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if not form:  # what came in is looked for in the list every two minutes
            return 200, {"messages": [], "page": 0, "page_size": 500, "next_page_uri": None}
        self.texts += 1
        self.by_id[form["StatusCallback"].rpartition("=")[2]] += 1
        self.by_phone[form["To"]] += 1
        self.last_at = time.perf_counter()
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
    return completion(has_acted=json.loads(body)["messages"][-1]["role"] == "tool")


def openai_text(body: bytes) -> tuple[int, dict[str, object]]:
    """Chat Completions: a text."""
    return completion(has_acted=True)


def completion(*, has_acted: bool) -> tuple[int, dict[str, object]]:
    name, arguments = CALL
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
    """Just enough HTTP to answer POSTs, each after the same time."""

    def __init__(self, respond: Respond, takes: float) -> None:
        self._respond, self._takes, self._got = respond, takes, b""

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
            response = b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
                status,
                len(content),
                content,
            )
            if self._takes:
                asyncio.get_running_loop().call_later(self._takes, self._transport.write, response)
            else:
                self._transport.write(response)


async def listen(respond: Respond, *, takes: float = 0) -> int:
    """Answer POSTs at a free port after so many seconds, as long as the loop runs."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Responder(respond, takes), "127.0.0.1", 0, backlog=4096)
    port: int = server.sockets[0].getsockname()[1]
    return port
