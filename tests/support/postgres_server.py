"""A PostgreSQL for the tests: the one at REPLYLINE_TEST_POSTGRES_URL, or one started from binaries on this machine.

All workers of one test run share a server. The first test that needs it starts it; the run's end stops it, and
a watchdog does when the run was killed.
"""

import fcntl
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

GIVEN = "REPLYLINE_TEST_POSTGRES_URL"
RUN_FOLDER = "REPLYLINE_TEST_RUN_FOLDER"  # handed down to the workers of pytest-xdist

# Nothing here needs to survive a power cut, and autovacuum would hold on to the template database.
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "deadlock_timeout": "100ms",
}

# Where distributions put what is not in PATH: Debian, Red Hat, a build from source, a bundle, Homebrew.
PLACES = [
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/usr/local/pgsql", "bin"),
    ("/opt", "*postgres*/bin"),
    ("/opt", "*postgres*/*/bin"),
    ("/opt/homebrew/opt", "postgresql*/bin"),
]


class NoPostgres(Exception):
    """There is no PostgreSQL to test on; the text says why."""


def begin_run() -> None:
    """Make the folder that the workers of this test run share."""
    folder = tempfile.mkdtemp(prefix="replyline-tests-")
    (Path(folder) / "owner").write_text(str(os.getpid()))
    os.environ[RUN_FOLDER] = folder


def end_run() -> None:
    """Stop the server this run has started, if it has."""
    folder = Path(os.environ.pop(RUN_FOLDER))
    if (folder / "url").exists():
        subprocess.run(
            [*as_someone(folder), binary("pg_ctl"), "stop", "-m", "immediate", "-D", folder / "data"],
            stdout=subprocess.DEVNULL,
            check=False,
            cwd=folder,
        )
    shutil.rmtree(folder, ignore_errors=True)


@cache
def server_url() -> str:
    """Where databases can be made. Raises `NoPostgres`."""
    if given := os.environ.get(GIVEN):
        return given
    folder = Path(os.environ[RUN_FOLDER])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first worker that comes starts it for all
        place = folder / "url"
        if not place.exists():
            start(folder)
            watch(folder)
            place.write_text(f"postgresql://postgres@/postgres?host={folder}")
        return place.read_text()


def start(folder: Path, options: Mapping[str, str] = OPTIONS) -> None:
    """Make a server in a folder and start it; it listens at a Unix socket there. Raises `NoPostgres`."""
    initdb, pg_ctl = binary("initdb"), binary("pg_ctl")
    someone = as_someone(folder)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "cwd": folder}
    made = subprocess.run(
        [*someone, initdb, "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
        **quiet,
    )
    if made.returncode:
        raise NoPostgres(f"initdb failed: {made.stderr.strip()}")
    with (folder / "data" / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in options.items())
        conf.write(f"unix_socket_directories = '{folder}'\n")
    begun = subprocess.run(
        [*someone, pg_ctl, "start", "-w", "-D", folder / "data", "-l", folder / "server.log"], **quiet
    )
    if begun.returncode:
        raise NoPostgres(f"PostgreSQL did not start: {(folder / 'server.log').read_text()[-500:]}")


def watch(folder: Path) -> None:
    """Stop the server and clear up when the test run goes away without a word."""
    owner = (folder / "owner").read_text()
    server = (folder / "data" / "postmaster.pid").read_text().splitlines()[0]
    waiting = 'while kill -0 "$1" && kill -0 "$2"; do sleep 1; done; kill -QUIT "$2"; sleep 1; rm -rf "$3"'
    nowhere = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(
        ["sh", "-c", f"({waiting}) &", "watchdog", owner, server, folder], **nowhere, start_new_session=True, check=True
    )


def as_someone(folder: Path) -> list[str]:
    """How to run PostgreSQL's programs, which refuse root."""
    if os.geteuid() != 0:
        return []
    user = next((name for name in ("postgres", "nobody") if exists(name)), None)
    changer = shutil.which("setpriv") or shutil.which("runuser")
    if user is None or changer is None:
        raise NoPostgres("PostgreSQL refuses root, and there is no user postgres or nobody to run it as")
    entry = pwd.getpwnam(user)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    if changer.endswith("setpriv"):
        return [changer, f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return [changer, "-u", user, "--"]


def exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def binary(name: str) -> Path:
    """A program of the newest PostgreSQL on this machine."""
    places = [place for root, pattern in PLACES for place in Path(root).glob(pattern)]
    for place in sorted(places, key=version_in, reverse=True):
        if (place / name).exists() and (place / "postgres").exists():
            return place / name
    found = shutil.which(name)
    if found is None:
        raise NoPostgres(f"no PostgreSQL binaries found in PATH, /usr/lib/postgresql or /opt, and no {GIVEN}")
    return Path(found)


def version_in(place: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(place))]
