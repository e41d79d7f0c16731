"""Starts `replyline` as real processes in a tenth of the time: forked from one that has imported everything already.

What such a process does is what the command does: it has its own PID, session, memory and logs, and dies of kill -9.
"""

import contextlib
import importlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

# What `serve` and `work` import when they start, the line's own module apart.
IMPORTED = [
    "replyline.app", "replyline.cli", "replyline.desk", "replyline.db.migrate", "replyline.db.postgres",
    "replyline.db.sqlite", "replyline.llm.models", "replyline.llm.builder", "replyline.plugins.load", "openai.resources.chat",
    "openai.resources.responses", "pydantic_ai.models.openai", "sqlalchemy.dialects.postgresql.psycopg", "psycopg_binary",
    "genai_prices.data", "genai_prices.data_units", "twilio.rest.api.v2010.account", "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.on", "uvloop",
]  # fmt: skip


class Launcher:
    """Asks the process that forks. Everything it has started ends with it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.launcher", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
        theirs.close()
        self._socket, self._lines = ours, ours.makefile("r")

    def start(
        self, command: list[str], cwd: Path, environment: Mapping[str, str], out: IO[bytes], log: IO[bytes]
    ) -> "Forked":
        """Start `replyline COMMAND` with standard output and error going to two files."""
        given = {"command": command, "cwd": str(cwd), "environment": dict(environment)}
        pid = self.ask({"start": given, "out": out.name, "log": log.name})
        return Forked(pid, self)

    def ask(self, question: dict[str, Any]) -> Any:
        self._socket.sendall(json.dumps(question).encode() + b"\n")
        line = self._lines.readline()
        if not line:
            raise RuntimeError("The process that starts others has died.")
        return json.loads(line)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
        self._process.wait(30)


class Forked:
    """A process that the launcher has forked; as much of `subprocess.Popen` as is needed."""

    def __init__(self, pid: int, launcher: Launcher) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._launcher = launcher
        self._ended = os.pidfd_open(pid)

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], 0)[0]:
            self.returncode = self._launcher.ask({"reap": self.pid})
            os.close(self._ended)
        return self.returncode

    def wait(self, timeout: float = 30) -> int:
        give_up = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > give_up:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            select.select([self._ended], [], [], 0.1)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def serve(asked: socket.socket) -> None:
    """Fork what is asked for, until nobody asks any more."""
    for name in IMPORTED:
        importlib.import_module(name)
    started = set()
    lines = asked.makefile("r")
    for line in lines:
        question = json.loads(line)
        if "start" in question:
            answer = fork(question, [asked.fileno(), lines.fileno()])
            started.add(answer)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(question["reap"], 0)[1])
            started.discard(question["reap"])
        asked.sendall(json.dumps(answer).encode() + b"\n")
    for pid in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def fork(question: dict[str, Any], ours: list[int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        become(question, ours)
    except BaseException:
        traceback.print_exc()
    os._exit(70)


def become(question: dict[str, Any], ours: list[int]) -> None:
    """Turn into the process that was asked for."""
    os.setsid()
    for each in ours:
        with contextlib.suppress(OSError):  # two numbers for one socket
            os.close(each)
    append = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, question["out"], append), (2, question["log"], append)):
        os.dup2(os.open(path, how, 0o644), number)
    given = question["start"]
    os.chdir(given["cwd"])
    os.environ.clear()
    os.environ.update(given["environment"])
    random.seed()
    from replyline.cli import main

    try:
        main(args=given["command"], prog_name="replyline")
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
