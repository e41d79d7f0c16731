"""The databases of a run, each with what can go wrong with it."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from replyline.db.migrate import migrate
from tests.support import postgres_server

DISK = 256  # megabytes of the file system that SQLite gets
# Unlike in the tests: what is committed has to survive a server that is stopped without a word.
SAFE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "autovacuum": "on", "listen_addresses": ""}


class Trouble(Protocol):
    """Something that happens to a database."""

    name: str
    times: int

    async def strike(self, rng: Random) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Database:
    """A migrated database of the run's own."""

    url: str
    trouble: Trouble | None = None
    without: str = ""  # what could not be made to go wrong here, and why


@contextmanager
def sqlite_database() -> Iterator[Database]:
    """SQLite on a small file system of its own, where this user may mount one."""
    with temporary_folder() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "replyline-chaos", folder], capture_output=True, text=True
        )
        url = f"sqlite:///{folder}/replyline.db"
        try:
            migrate(url)
            if mounted.returncode:
                why = mounted.stderr.strip().splitlines()[-1:] or ["mount failed"]
                yield Database(url=url, without=f"a full disk, which needs a file system of its own ({why[0]})")
            else:
                yield Database(url=url, trouble=FullDisk(folder))
        finally:
            if not mounted.returncode:
                subprocess.run(["umount", "--lazy", folder], check=True)


@dataclass
class FullDisk:
    """The disk is full for a while."""

    folder: Path
    name: str = "full disk"
    times: int = 0

    async def strike(self, rng: Random) -> None:
        self.times += 1
        filler = self.folder / "filler"
        with filler.open("wb") as file:
            step = 1 << 20
            while step:  # to the last page
                try:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), step)
                except OSError:
                    step = step // 2 if step > 4096 else 0
        await asyncio.sleep(rng.uniform(0.5, 4))
        filler.unlink()


@contextmanager
def postgres_database() -> Iterator[Database]:
    """A PostgreSQL that is restarted without being asked whether it is ready."""
    with temporary_folder() as folder:
        postgres_server.start(folder, postgres_server.OPTIONS | SAFE)
        server = Restarts(folder)
        try:
            url = f"postgresql://postgres@/postgres?host={folder}"
            migrate(url)
            yield Database(url=url, trouble=server)
        finally:
            server.control("stop")


@dataclass
class Restarts:
    """The server goes down in the middle of everything, and recovers from its log."""

    folder: Path
    name: str = "database restarted"
    times: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def strike(self, rng: Random) -> None:
        async with self._lock:
            self.times += 1
            await asyncio.to_thread(self.control, "stop")
            await asyncio.sleep(rng.uniform(0, 3))
            await asyncio.to_thread(self.control, "start")

    def control(self, what: str) -> None:
        """`pg_ctl stop -m immediate`, or `start`."""
        how = ["-m", "immediate"] if what == "stop" else ["-l", self.folder / "server.log"]
        command = [postgres_server.binary("pg_ctl"), what, "-w", "-D", self.folder / "data", *how]
        subprocess.run(
            [*postgres_server.as_someone(self.folder), *command], stdout=subprocess.DEVNULL, cwd=self.folder, check=True
        )


@contextmanager
def temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="replyline-chaos-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


DATABASES = {"sqlite": sqlite_database, "postgresql": postgres_database}
