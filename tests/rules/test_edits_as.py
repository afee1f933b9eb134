"""Does a route do all that it did by earlier rules? What held deliveries may go by the rules in force depends on it."""

import pytest

from rules import RulesError
from tests.support.rules import ruleset

SAME_OR_MORE = [
    ("", ""),
    ("", "set: {InstitutionName: NCC}"),
    ("anonymise: {}", "anonymise: {burned_in: trust}"),
    ("anonymise: {}", "anonymise: {secret: another-secret}"),
    ("anonymise: {keep: [device]}", "anonymise: {}"),
    ("anonymise: {dates: keep}", "anonymise: {dates: remove}"),
    ("anonymise: {}", "blank_pixels: {regions: [[0, 0, 9, 9]]}, anonymise: {}, remove: StudyID"),
    ("remove: PatientName, private: remove", "remove: PatientName, upper: StudyID, private: remove"),
]
LESS = [
    ("anonymise: {}", ""),
    ("anonymise: {}", "remove: PatientName"),
    ("anonymise: {}", "anonymise: {keep: [institution]}"),
    ("anonymise: {}", "anonymise: {dates: shift}"),
    ("anonymise: {}", "anonymise: {clean: [descriptors]}"),
    ("remove: PatientName", "remove: PatientComments"),
    ("private: remove", "private: keep"),
    ("remove: PatientName, set: {PatientID: X}", "set: {PatientID: X}, remove: PatientName"),
    ("blank_pixels: {regions: [[0, 0, 9, 9]]}", "blank_pixels: {regions: [[0, 0, 9, 8]]}"),
]


def does_as(earlier: str, now: str, route: str = "r") -> bool:
    """Whether the route with the edits `now` does all that it did with the `earlier` ones."""
    written = [f"edit: [{edits}], " if edits else "" for edits in (earlier, now)]
    made = [ruleset(f"routes: [{{name: r, {edits}to: [a]}}]") for edits in written]
    return made[1].edits_as(route, made[0])


@pytest.mark.parametrize(("earlier", "now"), SAME_OR_MORE)
def test_the_same_or_more(earlier: str, now: str) -> None:
    """What was edited is edited still, in its order; other edits beside it, and what trusts a device, are no matter."""
    assert does_as(earlier, now)


@pytest.mark.parametrize(("earlier", "now"), LESS)
def test_less(earlier: str, now: str) -> None:
    """Something could leave that would have been taken away, or the order is another one."""
    assert not does_as(earlier, now)


def test_a_route_that_is_not_there() -> None:
    """It cannot be compared."""
    with pytest.raises(RulesError):
        does_as("", "", route="other")


def test_where_a_route_sends() -> None:
    """To what it names; not while it is disabled, and `otherwise` by its own list."""
    rules = ruleset("routes: [{name: r, to: [a]}, {name: off, disabled: true, to: [a]}]\notherwise: [b]")
    asked = [("r", "a"), ("r", "b"), ("off", "a"), ("none", "a"), ("otherwise", "b"), ("otherwise", "a")]
    assert [rules.sends(*each) for each in asked] == [True, False, False, False, True, False]
    assert not ruleset("otherwise: archive").sends("otherwise", "a")
