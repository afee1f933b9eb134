"""Lets instances go once the appliance knows the rules they shall be judged by. It changes no rule and no table."""

import time
from collections.abc import Sequence
from contextlib import suppress

from archive import NotKeptError
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

    What is held again for the very same reason is released once more: a batch may have begun just before the new rules
    were in force. Another reason is for a person.
    """
    before = _reasons(appliance, arrivals)
    again = before
    for _ in range(2):
        for arrival in again:
            with suppress(NotKeptError):  # somebody else has decided meanwhile, and what came of it is told below
                appliance.archive.release(arrival, by, {})
        _await_filing(appliance, arrivals, seconds)
        again = {arrival: why for arrival, why in _reasons(appliance, arrivals).items() if before.get(arrival) == why}
        if not again:
            break
    states: dict[str, list[str]] = {}
    for each in appliance.archive.held_these(arrivals):
        states.setdefault(each.state, []).append(each.arrival)
    return states


def _reasons(appliance: Appliance, arrivals: Sequence[str]) -> dict[str, tuple[str | None, str]]:
    """By which rule and why each is held now; what is not held is left out."""
    found = appliance.archive.held_these(arrivals)
    return {each.arrival: (each.rule, each.reason) for each in found if each.state == "held"}


def _await_filing(appliance: Appliance, arrivals: Sequence[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(each.state == "released" for each in appliance.archive.held_these(arrivals)):
        if time.monotonic() >= deadline:
            return
        time.sleep(LOOK_SECONDS)
