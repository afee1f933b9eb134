"""What Linux knows of a running process: CPU time and memory, from /proc. Starts and ends none."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_LISTEN = "0A"  # a state in /proc/net/tcp
_RESET_PEAK = "5"  # what /proc/PID/clear_refs takes to begin the peak anew (proc(5))


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU."""

    user: float
    system: float

    @property
    def total(self) -> float:
        """User and system."""
        return self.user + self.system

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.user - other.user, self.system - other.system)


def cpu(pid: int) -> Cpu:
    """What a process has used so far, all its threads together, ended ones included; to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return Cpu(int(fields[11]) / _TICKS, int(fields[12]) / _TICKS)


def listening_on(port: int) -> int:
    """The process that listens on a TCP port of this host (IPv4); ProcessLookupError if none does."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:])
    sockets = {f"socket:[{each[9]}]" for each in lines if each[1].endswith(f":{port:04X}") and each[3] == _LISTEN}
    for link in Path("/proc").glob("[0-9]*/fd/*") if sockets else ():
        with suppress(OSError):  # it has ended meanwhile
            if str(link.readlink()) in sockets:
                return int(link.parts[2])
    raise ProcessLookupError(port)


def resident_mb(pid: int) -> float:
    """The memory a process has now, MB (10^6 bytes)."""
    return _status_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """The most memory a process had since `reset_peak`, MB (10^6 bytes)."""
    return _status_mb(pid, "VmHWM")


def reset_peak(pid: int) -> None:
    """Begin the peak anew."""
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK, encoding="ascii")


def _status_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise KeyError(name)
