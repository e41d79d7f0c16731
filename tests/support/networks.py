"""Machines of a network of the test's own: namespaces on a bridge, where this user may make them."""

import os
import shutil
import subprocess
from contextlib import ExitStack
from random import randrange
from typing import Self


class NoNetwork(Exception):
    """Namespaces cannot be made here; the text says why."""


class Network:
    """A bridge, `address` on it for the test itself, and machines that are plugged in and unplugged."""

    def __init__(self) -> None:
        number = randrange(1, 250)
        self.name = f"rl{os.getpid() % 100_000}"
        self.subnet = f"10.213.{number}.0/24"
        self.address = f"10.213.{number}.1"
        self._stack = ExitStack()
        self._machines: dict[str, int] = {}

    def __enter__(self) -> Self:
        if shutil.which("ip") is None:
            raise NoNetwork("there is no program `ip` (package iproute2)")
        with ExitStack() as stack:
            self._make(stack, "link", "add", self.name, "type", "bridge")
            ip("addr", "add", f"{self.address}/24", "dev", self.name)
            ip("link", "set", self.name, "up")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def machine(self, name: str) -> list[str]:
        """Add a machine that reaches the bridge; gives how to run a command on it."""
        space, ours, theirs = (f"{self.name}{name}{end}" for end in ("", "o", "t"))
        number = self._machines[name] = len(self._machines) + 2
        self._make(self._stack, "netns", "add", space)
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
        ip("link", "set", theirs, "netns", space)
        ip("-n", space, "addr", "add", f"{self.address.rsplit('.', 1)[0]}.{number}/24", "dev", theirs)
        for link in ("lo", theirs):
            ip("-n", space, "link", "set", link, "up")
        ip("link", "set", ours, "up")
        self.plug(name)
        return self.on(name)

    def on(self, name: str) -> list[str]:
        """How to run a command on a machine."""
        return ["ip", "netns", "exec", f"{self.name}{name}"]

    def plug(self, name: str) -> None:
        ip("link", "set", f"{self.name}{name}o", "master", self.name)

    def unplug(self, name: str) -> None:
        """As a firewall drops: nobody is told, and whatever is sent is lost."""
        ip("link", "set", f"{self.name}{name}o", "nomaster")

    def lose(self, name: str, port: int, *, no_more: bool = False) -> None:
        """Lose what a machine sends to a port; what it already has open hears nothing of it."""
        rule = ["OUTPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP"]
        subprocess.run([*self.on(name), "iptables", "-D" if no_more else "-A", *rule], check=True)

    def _make(self, stack: ExitStack, what: str, *how: str) -> None:
        ip(what, *how)
        stack.callback(ip, what, "del", how[1])


def ip(*what: str) -> None:
    done = subprocess.run(["ip", *what], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNetwork(f"`ip {' '.join(what)}` says: {done.stderr.strip()}")
