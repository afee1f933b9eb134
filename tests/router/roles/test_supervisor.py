"""How long the supervisor lets a role that has ended rest, and what it logs of a configuration it refuses.

That it starts a role again is shown by the scenarios.
"""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.config import load
from router.roles.children import LONGEST_RESTART_SECONDS, rest_seconds
from router.roles.supervisor import Supervisor


def test_the_first_time_it_may_have_been_an_accident() -> None:
    """A role that ends once is started again at once."""
    assert rest_seconds(failures=1) == 0.0


@pytest.mark.parametrize(("failures", "longest"), [(2, 1.0), (3, 2.0), (5, 10.0), (50, 10.0)])
def test_a_role_that_ends_again_and_again_starts_ever_less_often(failures: int, longest: float) -> None:
    """What counts is from start to start: how long it ran is no rest it has to make as well."""
    at_once, after_a_while = rest_seconds(failures), rest_seconds(failures, ran_seconds=0.5)
    assert 0.0 < at_once <= min(longest, LONGEST_RESTART_SECONDS)
    assert after_a_while == pytest.approx(at_once - 0.5)
    assert rest_seconds(failures + 1) >= at_once


def test_a_role_that_ran_for_long_does_not_rest() -> None:
    """However often it ended before."""
    assert rest_seconds(failures=50, ran_seconds=LONGEST_RESTART_SECONDS) == 0.0


def test_a_test_that_fails_is_logged_by_its_name_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it expected and got may be a patient's number from a lookup table, and is for who runs the test."""
    file, table = tmp_path / "site.yaml", tmp_path / "ids.csv"
    table.write_text("old,new\nA,00412877\n", encoding="utf-8")
    file.write_text(
        "appliance: {data: ./data}\ntables: {ids: ids.csv}\n"
        "normalise: [{name: old, edit: [lookup: {keyword: PatientID, table: ids}]}]\n"
        "tests: [{name: known, given: {PatientID: A}, expect: {PatientID: '00412877'}}]\n",
        encoding="utf-8",
    )
    monkeypatch.setattr("router.roles.supervisor.watch_files", lambda *_: None)
    supervisor = Supervisor(load(file))
    table.write_text("old,new\nA,00412878\n", encoding="utf-8")
    with capture_logs() as lines:
        assert not supervisor.reload()
    [line] = [each for each in lines if each["event"] == "configuration refused, its test fails"]
    assert line["test"] == "known"
    assert "412878" not in str(lines)
