"""Who holds a row of work: a process, named so that a later one on the same machine can tell that it has died."""

import os
import socket
from pathlib import Path

PROC = Path("/proc")
DEAD = {"Z", "X"}  # as /proc says: it has ended, and only its parent has not asked how


def own_name() -> str:
    """This process: machine/PID namespace/PID/when it started. At most 64 characters, as the column has."""
    pid = os.getpid()
    return f"{place()}{pid}/{started(pid) or ''}"


def is_dead(owner: str) -> bool:
    """Whether this owner was a process of this machine and namespace that has ended. When in doubt, it lives."""
    here = place()
    pid, _, start = owner.removeprefix(here).partition("/")
    if not owner.startswith(here) or not pid.isdigit():
        return False  # of another machine or container: its lease tells
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    # A PID is given out again, in a container most often to the very process that replaces the dead one.
    now_there = started(int(pid))
    return now_there is not None and now_there != start


def place() -> str:
    """Where PIDs mean the same as here. Host names repeat from machine to machine; a kernel's boot id does not."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text()[:8]
        namespace = (PROC / "self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:  # no Linux
        boot = namespace = ""
    return f"{socket.gethostname()[:20]}-{boot}/{namespace}/"


def started(pid: int) -> str | None:
    """When a process began, in ticks since the machine did; `over` when it has ended, none when nobody can say."""
    try:
        # The name in parentheses may hold anything; what counts comes after it.
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "over" if fields[0] in DEAD else fields[19]
