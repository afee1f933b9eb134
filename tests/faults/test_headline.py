"""The headline run, as short as it can be with every kind of fault in it."""

import os
import time
from pathlib import Path

import pytest

from tests.faults.appliance import RESTART
from tests.faults.headline import FAULTS, Headline
from tests.faults.report import table
from tests.support.dcmtk import needs_dcmtk
from tests.support.extent import extent
from tests.support.figures import figure

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.slow, pytest.mark.xdist_group("faults")]

STUDIES = extent(18, 36)


def test_nothing_acknowledged_is_lost_doubled_altered_or_misrouted(tmp_path: Path) -> None:
    """With a fault in every study and every kind of fault among them; interrupted half-way, and gone on with."""
    assert len(FAULTS) <= STUDIES
    seed = int(os.environ.get("MICROPACS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed}")
    for studies in (STUDIES // 2, STUDIES):
        result = Headline(tmp_path, seed, studies, between_restarts=STUDIES // 2).run()
        print(table(result))
        assert result.passed, table(result)
    figure(
        f"seed {seed}: n = {result.studies} studies, {result.verdict.acknowledged} acknowledged: "
        f"{result.verdict.told()}, {result.verdict.sent_again} of {result.verdict.copies} copies sent again"
    )
    assert result.studies == STUDIES
    assert result.faults.keys() == {*FAULTS, RESTART}
