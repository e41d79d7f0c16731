"""The process that is measured: `python -m bench.server KIND ...`, on one core, with its logs as in production.

It prints the port it listens at. Each line it reads is answered with the CPU seconds it has used and the most memory
it has had, in MiB; when there are no more lines it ends.
"""

import argparse
import os
import resource
import socket
import sys
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from bench.requests import ACCOUNT_SID, AUTH_TOKEN, OUR_NUMBER, PATH, PUBLIC_URL
from replyline import ActionContext, Line
from replyline.app import App, Web, share_the_interpreter, spare_the_collector, wire
from replyline.clock import SystemClock
from replyline.desk import server_config
from replyline.inbound.limits import PerAddress
from replyline.inbound.webhooks import EMPTY_TWIML, Answer, Counts, Fields, Webhook
from replyline.log import set_up_logs
from replyline.settings import read_settings


def main() -> None:
    given = arguments()
    use_core(given.core)
    set_up_logs()
    uvloop.run(serve(given))


async def serve(given: argparse.Namespace) -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(4096)  # whoever comes before the server is ready waits
    server = uvicorn.Server(server_config(web(given)))
    spare_the_collector()  # all kinds alike
    share_the_interpreter()
    threading.Thread(target=answer_parent, args=(server,), daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    await server.serve(sockets=[listening])


def web(given: argparse.Namespace) -> Any:
    match given.kind:
        case "bare":
            return bare
        case "verify":
            return Web({PATH: VerifyOnly(**webhook_parts())})
        case "store":
            return real_app(given).web()
        case "turns":
            from bench.models import bench_model

            return real_app(given, model=bench_model(given.model, given.model_url)).web()
    raise AssertionError(given.kind)


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The least an ASGI application can do."""
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    headers = [(b"content-type", b"text/xml"), (b"content-length", b"%d" % len(EMPTY_TWIML))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": EMPTY_TWIML})


class VerifyOnly(Webhook):
    """Parses and verifies, and stores nothing."""

    async def signed(self, fields: Fields, query: Fields, now: datetime) -> Answer:
        return Answer(status=200, body=EMPTY_TWIML)


def webhook_parts() -> dict[str, Any]:
    return {
        "path": PATH,
        "public_url": PUBLIC_URL,
        "auth_tokens": (AUTH_TOKEN,),
        "line": bench_line(),
        "db": None,
        "clock": SystemClock(),
        "limit": PerAddress(),
        "counts": Counts(),
    }


def real_app(given: argparse.Namespace, model: Any = None) -> App:
    settings = read_settings(
        environ={},
        dotenv=None,
        twilio_account_sid=ACCOUNT_SID,
        twilio_auth_token=AUTH_TOKEN,
        twilio_phone_number=OUR_NUMBER,
        twilio_api_url=given.twilio,
        public_url=PUBLIC_URL,
        database_url=given.database,
        media_dir=Path(given.media),
    )
    return wire(settings, bench_line(given.settle), model=model)


def bench_line(settle: float = 0) -> Line:
    """A business whose limits are out of the way: what is measured is our own work."""
    line = Line(
        name="Acme Fitness",
        instructions="You book classes for a gym. Yoga is at 6 pm and 7 pm on weekdays, spinning at noon.",
        timezone="America/Los_Angeles",
        settle=settle,
        turns_per_minute=1_000_000,
        segments_per_second=1_000_000,
    )

    @line.action
    async def book_class(ctx: ActionContext, when: datetime, kind: str) -> str:
        """Book a class for the person we are texting with."""
        return f"Booked {kind} on {when:%A %d %B at %H:%M}."

    return line


def answer_parent(server: uvicorn.Server) -> None:
    for _ in sys.stdin:
        print(time.process_time(), peak_mib(), flush=True)
    server.should_exit = True


def peak_mib() -> float:
    """The most memory this process had resident. A child's `ru_maxrss` may be its parent's, so Linux is asked itself."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def use_core(core: int | None) -> None:
    """Stay on one core, where the system lets us say so."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["bare", "verify", "store", "turns"])
    parser.add_argument("--core", type=int)
    parser.add_argument("--database", default="")
    parser.add_argument("--twilio", default="http://127.0.0.1:1")
    parser.add_argument("--media", default=".")
    parser.add_argument("--model", default="instant")
    parser.add_argument("--model-url", default="")
    parser.add_argument("--settle", type=float, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
