"""What is known of an instance before its header is read: what it is, and where it came from. Values only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row


@dataclass(frozen=True, slots=True)
class Identity:
    """What the sender's command said (PS3.7 9.1.1): UIDs as received, without padding."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an instance came from; `source` is the configured name or None, `received_at` aware UTC."""

    source: str | None
    calling_ae: str
    called_ae: str
    host: str
    received_at: datetime


def identity_of(row: Row[*tuple[Any, ...]]) -> Identity:
    """As a row of the index, of an instance or of something held, has it."""
    return Identity(row.sop_class_uid, row.sop_instance_uid, row.transfer_syntax_uid)


def origin_of(row: Row[*tuple[Any, ...]]) -> Origin:
    """As a row of the index has it."""
    return Origin(row.source, row.calling_ae, row.called_ae, row.host, row.received_at)
