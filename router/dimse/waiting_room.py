"""Who has connected and is not associated yet, within a cap that is fair to every address. Closes no connection."""

from math import inf
from typing import Generic, TypeVar

_Caller = TypeVar("_Caller")


class WaitingRoom(Generic[_Caller]):
    """Callers by address, in order of arrival; used by one thread at a time."""

    def __init__(self) -> None:
        self._hosts: dict[str, dict[_Caller, float]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, host: str, caller: _Caller, since: float, most: int) -> tuple[str, _Caller] | None:
        """Let one in. When more than `most` are in, the first of the address that has most has to go, and is given."""
        self._hosts.setdefault(host, {})[caller] = since
        self._count += 1
        return self.push_out() if self._count > most else None

    def push_out(self) -> tuple[str, _Caller] | None:
        """The first of the address that has most goes, and is given; None when nobody is in."""
        if not self._hosts:
            return None
        crowded = max(self._hosts, key=lambda each: len(self._hosts[each]))
        first = next(iter(self._hosts[crowded]))
        self.leave(crowded, first)
        return crowded, first

    def leave(self, host: str, caller: _Caller) -> bool:
        """True when it was in."""
        callers = self._hosts.get(host)
        if callers is None or callers.pop(caller, None) is None:
            return False
        self._count -= 1
        if not callers:
            del self._hosts[host]
        return True

    def entered_before(self, instant: float = inf) -> list[tuple[str, _Caller]]:
        """Those who came before `instant`, with their addresses."""
        return [
            (host, caller)
            for host, callers in self._hosts.items()
            for caller, since in callers.items()
            if since < instant
        ]
