"""One security event: what was done, by which address, how often and when. Holds nothing that was received."""

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

EVENT_SECONDS = 3600  # what an address does again within this time is the same event
ANYBODY = ""  # in place of an address, once there are too many to name each
_AE_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,15}")


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """`count` times `what` from `host`; `calling_ae` only where all came under one title that is fit to be shown."""

    what: str
    host: str
    first: datetime
    last: datetime
    count: int = 1
    calling_ae: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes two of them the same event."""
        return self.what, self.host

    def continued_by(self, later: "SecurityEvent") -> bool:
        """True when `later` is this event going on."""
        return self.key == later.key and (later.first - self.first).total_seconds() < EVENT_SECONDS

    def plus(self, later: "SecurityEvent") -> "SecurityEvent":
        """Both as one."""
        title = self.calling_ae if self.calling_ae == later.calling_ae else None
        last = max(self.last, later.last)
        return replace(self, last=last, count=self.count + later.count, calling_ae=title)

    def detail(self) -> dict[str, Any]:
        """As plain data."""
        told: dict[str, Any] = {
            "what": self.what,
            "host": self.host,
            "count": self.count,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
        }
        return told | {"calling_ae": self.calling_ae} if self.calling_ae else told

    def line(self) -> bytes:
        """As a line of a ledger."""
        return json.dumps(self.detail()).encode("ascii") + b"\n"

    @classmethod
    def of(cls, detail: Any) -> "SecurityEvent":  # noqa: ANN401
        """What `detail` gave; ValueError, TypeError or KeyError for what it never gives."""
        return cls(
            str(detail["what"]),
            str(detail["host"]),
            datetime.fromisoformat(detail["first"]),
            datetime.fromisoformat(detail["last"]),
            int(detail["count"]),
            detail.get("calling_ae"),
        )


def fit_title(calling_ae: str) -> str | None:
    """An AE title if it is nothing but letters, digits and a few marks, else None: others may say anything."""
    return calling_ae if _AE_TITLE.fullmatch(calling_ae) else None
