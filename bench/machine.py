"""What the bench ran on, as far as the machine tells."""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.process import cores


def description(folder: Path, databases: Sequence[str]) -> list[str]:
    """One line for each thing that makes figures differ. Taken before the first measurement."""
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores, {memory()}, {platform.release()}",
        f"Python {platform.python_version()} ({sys.implementation.name}), uvicorn {version('uvicorn')}, "
        f"uvloop {version('uvloop')}, httptools {version('httptools')}",
        *databases,
        f"writing 4 KiB to disk (fsync) takes {disk_ms(folder):.2f} ms",
        f"{pinning()}; load average before the run: {os.getloadavg()[0]:.1f}",
    ]


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def disk_ms(folder: Path) -> float:
    """The median of some writes that have to reach the disk, as each commit does."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(51):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return 1000 * median(took)


def pinning() -> str:
    chosen = cores()
    if chosen.server is None:
        return "the server and the load share all cores"
    return f"the server has core {chosen.server} to itself, the load generator core {chosen.load}"
