"""Calling an ASGI endpoint without a server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, kw_only=True, slots=True)
class Got:
    status: int
    body: str
    content_type: str


async def call(
    app: Any,
    path: str,
    *,
    form: Mapping[str, str] | None = None,
    raw: bytes | None = None,
    method: str = "POST",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    client: str = "203.0.113.9",
) -> Got:
    body = raw if raw is not None else urlencode(form or {}).encode()
    given = {"content-type": "application/x-www-form-urlencoded"} if method == "POST" else {}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in {**given, **(headers or {})}.items()],
        "client": (client, 40000),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    answer = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Got(status=sent[0]["status"], body=content.decode(), content_type=answer.get("content-type", ""))
