"""A site with a past: twelve studies, normalised, routed and held by the rules in force."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.config import load
from router.replay import Choice, Tally, replay
from tests.support.past import PastSite

YAML = r"""
appliance: {data: ./data}
sources:
  dste: {ae_title: GE_DSTE, host: 10.1.1.11}
  dls: {ae_title: GE_DLS, host: 10.1.1.12}
destinations:
  pacs: {ae_title: PACS, host: 127.0.0.1, port: 11104}
  research: {type: folder, path: ./export}
normalise:
  - {name: pad, when: {PatientID: {matches: '\d{1,7}'}}, edit: [pad: {keyword: PatientID, width: 8, with: "0"}]}
routes:
  - {name: to the PACS, when: {Modality: [CT, PT]}, to: [pacs]}
  - {name: to research, when: {Modality: PT}, edit: [blank: [PatientName]], to: [research]}
otherwise: hold
"""


class Past(PastSite):
    """Studies 1 to 10: two CT each from the DSTE; 11: three PET from the DLS; 12: one report, which is held."""

    def fill(self) -> None:
        """Let them arrive, and file them."""
        for study in range(1, 11):
            for number in (1, 2):
                self.arrive(study, number, StudyDescription="TRIAL" if study <= 3 else "ROUTINE")
        for number in (1, 2, 3):
            self.arrive(11, number, ae="GE_DLS", host="10.1.1.12", Modality="PT", PatientID="7")
        self.arrive(12, Modality="SR", more=b"")
        self.file_all()

    def replayed(self, yaml: str, choice: Choice | None = None, *, most: int = 3, processes: int = 1) -> Tally:
        """What differs with this configuration."""
        tried = load(self.new(yaml), tried_in=self.configuration.data)
        database = self.appliance.database
        return replay(database, self.configuration, tried, choice or Choice(), most=most, processes=processes)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of such a site, filled once."""
    folder = tmp_path_factory.mktemp("past")
    past = Past(folder, YAML)
    past.fill()
    past.close()
    return folder


@pytest.fixture
def past(filled: Path, tmp_path: Path) -> Iterator[Past]:
    """The site, filled, for one test alone."""
    with Past.copied(filled, tmp_path, YAML) as past:
        yield past
