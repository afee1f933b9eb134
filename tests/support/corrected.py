"""An appliance without processes whose studies are corrected; instances are filed and delivered by hand."""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pydicom

from archive import Identity, Kept
from router.appliance import Appliance, utc_now
from router.config import load
from router.corrections import Corrector
from router.delivery import Digests, Leased
from router.ingest import Filer
from tests.support.arrivals import CT, origin
from tests.support.data import sample
from tests.support.deliveries import DELIVERED, settlement
from tests.support.part10 import Part10, read_part10
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded

YAML = """
appliance: {{data: ./data{database}}}
sources: {{scanner: {{ae_title: GE_DSTE, host: 10.1.1.11}}}}
destinations: {{disk: {{type: folder, path: ./out}}, station: {{type: folder, path: ./station}}}}
normalise: [{{name: mark, edit: [set: {{InstitutionName: NCC}}]}}{rules}]
routes: [{{name: all, to: [disk]}}]
{more}
"""
STUDY = "1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
SYNTAXES = "transfer-syntaxes/one-ct-in-every-syntax"


class Site:
    """Spool, archive and queue of one configuration, in one database."""

    def __init__(self, folder: Path, url: str = "", more: str = "", rules: str = "") -> None:
        """`url` is the database's, the embedded one if none is given; `more` is added to the configuration.

        `rules` are more rules on arrival, each after a comma.
        """
        self.file = folder / "micropacs.yaml"
        database = f', database: "{url}"' if url else ""
        self.file.write_text(YAML.format(database=database, more=more, rules=rules), encoding="utf-8")
        self.configuration = load(self.file)
        self.appliance = Appliance.open(self.configuration)
        self.archive = self.appliance.archive
        self.queue = self.appliance.queue
        self.queue.configure(["disk", "station"])
        self.appliance.revisions.remember(self.configuration)

    def close(self) -> None:
        """Let everything go."""
        self.appliance.spool.close()
        self.appliance.close()

    @property
    def _filer(self) -> Filer:
        parts = self.appliance.database, self.appliance.spool, self.archive, self.queue, self.appliance.journal
        return Filer(*parts, lambda: self.configuration)

    @property
    def digests(self) -> Digests:
        """What enters the digests of edited copies."""
        revisions, zone = self.appliance.revisions, self.configuration.zone
        return Digests(self.appliance.database, self.archive, revisions.ruleset, lambda: zone)

    @property
    def corrector(self) -> Corrector:
        """As a person uses it."""
        parts = self.archive, self.queue, self.digests, self.appliance.journal
        return Corrector(*parts, self.configuration, utc_now, "anna")

    def arrive(self, *numbers: int, **attributes: object) -> None:
        """File CT instances of one study, with these attributes."""
        for number in numbers:
            values = {
                "SOPClassUID": CT,
                "SOPInstanceUID": f"1.2.3.{number}",
                "StudyInstanceUID": STUDY,
                "SeriesInstanceUID": "1.2.2",
                "Modality": "CT",
                "PatientID": "1",
                "PatientName": "Doe^Jane",
                **attributes,
            }
            self._seal(Identity(CT, f"1.2.3.{number}", EXPLICIT_LITTLE_ENDIAN), encoded(data_set(**values)))
        self.file_all()

    def arrive_as(self, part: Part10, content: bytes) -> Kept | None:
        """File an instance with this data set, as a file says that it is; None if it was not taken, but held."""
        before = self.archive.newest()
        self._seal(Identity(part.sop_class_uid, part.sop_instance_uid, part.transfer_syntax_uid), content)
        self.file_all()
        return next(iter(self.archive.instances_after(before, 1)), None)

    def _seal(self, identity: Identity, content: bytes) -> None:
        with self.appliance.spool.open(identity, origin()) as incoming:
            incoming.write(content)
            incoming.seal()

    def file_all(self) -> None:
        """Empty the spool."""
        while self._filer.file_arrivals():
            pass

    def file_released(self) -> None:
        """File what a person let go."""
        self._filer.file_released()

    def take_up(self, old: str, new: str) -> None:
        """Change this text of the configuration, which counts from now on."""
        self.file.write_text(self.file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        self.configuration = load(self.file)

    def study_id(self, uid: str = STUDY) -> int:
        """The id of a study that is kept."""
        study_id = self.archive.study_id(uid)
        assert study_id is not None
        return study_id

    def arrive_in_every_syntax(self) -> Iterator[tuple[Part10, bytes, Kept]]:
        """File one file in every transfer syntax, each in a study of its own, but those that no rule can edit.

        Gives each with its data set as it was received.
        """
        for number, part in enumerate(filter(None, map(read_part10, sample(SYNTAXES))), start=10):
            received = _in_a_study_of_its_own(part, number)
            kept = self.arrive_as(part, received)
            if kept is not None:
                yield part, received, kept

    def kept(self, uid: str = STUDY) -> list[Kept]:
        """The instances of a study."""
        return self.archive.instances_of(self.study_id(uid))

    def now(self, kept: Kept) -> Kept:
        """The instance as it is kept by now."""
        return self.archive.instances_after(kept.row - 1, 1)[0]

    def content(self, kept: Kept) -> bytes:
        """The data set in a kept file."""
        return (self.archive.folder / kept.file).read_bytes()[kept.data_set_offset or 0 :]

    def deliver(self, destination: str = "disk") -> list[Leased]:
        """Lease all that is due to a destination and say that it was delivered."""
        leased = self.lease(destination)
        self.settle(leased)
        return leased

    def lease(self, destination: str = "disk") -> list[Leased]:
        """Lease all that is due to a destination."""
        return self.queue.lease(destination, 64)

    def settle(self, leased: list[Leased]) -> None:
        """These were delivered."""
        self.queue.settle([settlement(each, DELIVERED, datetime.now(UTC)) for each in leased])

    def age(self) -> None:
        """Let every file be older than what has just been written may be."""
        for path in self.archive.folder.rglob("*.dcm"):
            os.utime(path, (0, 0))

    def assert_whole(self) -> None:
        """Every kept file is as the index says, and no file is unknown to it."""
        kept = self.archive.instances_after(0, 1_000_000)
        found = [finding.reason for each in kept if (finding := self.archive.examine(each))]
        assert found == []
        assert all(hashlib.sha256(self.content(each)).hexdigest() == each.digest for each in kept)
        assert [file for file, is_orphan in self.archive.files(self.appliance.spool.backlog) if is_orphan] == []


def _in_a_study_of_its_own(part: Part10, number: int) -> bytes:
    """The file's data set: one CT is there in many syntaxes. What is deflated stays as it is."""
    uid = str(pydicom.dcmread(part.path, stop_before_pixels=True).get("StudyInstanceUID", "none")).encode()
    return part.data_set.replace(uid, uid[:-2] + b"%02d" % number)
