"""Compares what an appliance has kept with files, byte by byte; sends nothing."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tests.support.appliance import RunningAppliance, wait_until
from tests.support.part10 import read_part10

_QUERY = "select transfer_syntax_uid, received_digest from instances where sop_instance_uid = ?"


def assert_kept(appliance: RunningAppliance, paths: Iterable[Path]) -> set[str]:
    """Each file is in the index once, in its transfer syntax and with the bytes of its data set; all the syntaxes."""
    syntaxes = set()
    for path in paths:
        part = read_part10(path)
        assert part is not None, path
        kept = _kept(appliance, part.sop_instance_uid)
        assert kept == [(part.transfer_syntax_uid, hashlib.sha256(part.data_set).hexdigest())], path
        syntaxes.add(part.transfer_syntax_uid)
    return syntaxes


def _kept(appliance: RunningAppliance, sop_instance_uid: str) -> list[tuple[object, ...]]:
    """The rows of an instance, once there are any."""
    wait_until(lambda: appliance.sql(_QUERY, sop_instance_uid), 20, f"{sop_instance_uid} to be filed")
    return appliance.sql(_QUERY, sop_instance_uid)
