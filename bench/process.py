"""Starting the servers that are measured, one process each, and asking them what they have used."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Cores:
    """Which cores the server and the load have, where the system lets us choose and there are two."""

    server: int | None
    load: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A running server."""

    port: int
    process: "subprocess.Popen[str]"

    def cpu_seconds(self) -> float:
        """The CPU time it has used since its start."""
        return self._used()[0]

    def peak_mib(self) -> float:
        """The most memory it ever had (resident)."""
        return self._used()[1]

    def _used(self) -> tuple[float, float]:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        cpu, peak = self._line().split()
        return float(cpu), float(peak)

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"The server has ended with {self.process.wait()}; its log says why.")
        return line


@contextlib.contextmanager
def started(kind: str, log: Path, core: int | None, **options: str | Path) -> Iterator[Server]:
    """A server of `bench.server`, ended afterwards. Its log goes to a file, as a supervisor would keep it."""
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    if core is not None:
        given.append(f"--core={core}")
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.server", kind, *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
        )
        try:
            assert process.stdout is not None
            port = process.stdout.readline()
            if not port:
                raise RuntimeError(f"The server did not start:\n{log.read_text()[-2000:]}")
            yield Server(port=int(port), process=process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@cache
def cores() -> Cores:
    """Chosen once, before anything is confined to one of them."""
    if not hasattr(os, "sched_setaffinity") or len(ours := sorted(os.sched_getaffinity(0))) < 2:
        return Cores(server=None, load=None)
    return Cores(server=ours[-1], load=ours[0])
