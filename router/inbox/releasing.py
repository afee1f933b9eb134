"""Lets instances go once the appliance knows the rules they shall be judged by. It changes no rule and no table."""

import time
from collections.abc import Sequence

from router.appliance import Appliance

LOOK_SECONDS = 0.1


def await_revision(appliance: Appliance, revision: str, seconds: float) -> bool:
    """Whether the appliance takes up this revision of its configuration within the time."""
    deadline = time.monotonic() + seconds
    while not appliance.revisions.is_known(revision):
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def release_and_see(appliance: Appliance, arrivals: Sequence[str], by: str, seconds: float) -> dict[str, list[str]]:
    """Release them, and tell what has become of them within the time: arrivals by state, as `held list --state`.

    What is held again is released once more: a batch may have begun just before the new rules were in force.
    """
    for attempt in (1, 2):
        held = [each.arrival for each in appliance.archive.held_these(arrivals) if each.state == "held"]
        if not held and attempt > 1:
            break
        for arrival in held:
            appliance.archive.release(arrival, by, {})
        _await_filing(appliance, arrivals, seconds)
    states: dict[str, list[str]] = {}
    for each in appliance.archive.held_these(arrivals):
        states.setdefault(each.state, []).append(each.arrival)
    return states


def _await_filing(appliance: Appliance, arrivals: Sequence[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(each.state == "released" for each in appliance.archive.held_these(arrivals)):
        if time.monotonic() >= deadline:
            return
        time.sleep(LOOK_SECONDS)
