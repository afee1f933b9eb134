"""A network namespace with one line to it that can be cut: for peers that vanish. Needs root and `ip`; undoes all."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

IP = shutil.which("ip") or "/usr/sbin/ip"
needs_namespaces = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or not os.access(IP, os.X_OK) or not shutil.which("nsenter"),
    reason="a network namespace needs root, iproute2 and nsenter",
)


@dataclass(frozen=True)
class Namespace:
    """Its name, its address and ours on the line between (198.18.0.0/15 is for such tests, RFC 2544)."""

    name: str
    far: str
    near: str

    def command(self, *command: str) -> list[str]:
        """What runs a command inside; `ip netns exec` would keep all disks mounted that tests of disks unmount."""
        return ["nsenter", f"--net=/run/netns/{self.name}", *command]

    def line(self, *, up: bool) -> None:
        """Plug the line in, or pull it at the far end."""
        _ip("-n", self.name, "link", "set", self._inner, "up" if up else "down")

    def deaf(self, *, deaf: bool) -> None:
        """Let nothing that is sent to us leave: whoever connects gets no answer at all."""
        _ip("-n", self.name, "route", "add" if deaf else "del", "blackhole", f"{self.near}/32")

    def slow(self, rate: str) -> None:
        """Limit what goes in to a rate such as 1mbit."""
        limit = ("rate", rate, "burst", "16kb", "latency", "400ms")
        subprocess.run(["tc", "qdisc", "add", "dev", self._outer, "root", "tbf", *limit], check=True)

    @property
    def _outer(self) -> str:
        return f"{self.name}o"

    @property
    def _inner(self) -> str:
        return f"{self.name}i"


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A namespace of this process, with its line up."""
    block = os.getpid() % 16384
    near, far = (f"198.18.{4 * block // 256}.{4 * block % 256 + last}" for last in (1, 2))
    made = Namespace(f"mp{os.getpid()}", far, near)
    with ExitStack() as undo:
        _ip("netns", "add", made.name)
        undo.callback(_ip, "netns", "delete", made.name)
        _ip("link", "add", made._outer, "type", "veth", "peer", "name", made._inner, "netns", made.name)
        undo.callback(_ip, "link", "delete", made._outer)  # else the kernel may keep it, and the name may come again
        _ip("address", "add", f"{near}/30", "dev", made._outer)
        _ip("-n", made.name, "address", "add", f"{far}/30", "dev", made._inner)
        _ip("link", "set", made._outer, "up")
        made.line(up=True)
        yield made


def _ip(*arguments: str) -> None:
    subprocess.run([IP, *arguments], check=True)
