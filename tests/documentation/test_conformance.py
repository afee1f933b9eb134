"""The conformance statement says what the code does: its tables are compared with the code, row by row."""

import dataclasses
import re

import pydicom
import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import keyword_for_tag
from pydicom.uid import UID

import archive
from router.certificates import CIPHER_SUITES
from router.config import ApplianceSettings
from router.delivery.outcomes import NO_ACCEPTED_CONTEXT, STATUSES, from_association_error, from_status
from router.dimse import acceptor, limits, status
from router.dimse.contexts import VERIFICATION, is_storage
from router.errors import AssociationAborted, AssociationRejected, PeerSilent, PeerUnreachable, TlsFailed
from rules import charset
from tests.support.guide import REPOSITORY, table_rows

STATEMENT = REPOSITORY / "docs" / "conformance.md"
TEXT = STATEMENT.read_text(encoding="utf-8")


def rows(mark: str) -> list[tuple[str, ...]]:
    """A table of the statement, without the marks of code."""
    return [tuple(cell.replace("`", "") for cell in row) for row in table_rows(STATEMENT, mark)]


def test_the_storage_classes_are_those_that_are_taken() -> None:
    """The annex lists every storage SOP class the dictionary knows, and all of them are taken."""
    listed = {uid for _, uid in rows("storage")}
    known = {uid for uid in UID_dictionary if is_storage(uid)}
    assert {uid for uid in listed if not is_storage(uid)} == set()
    if pydicom.__version__.startswith("3.0."):  # the dictionary that the annex was written from
        assert listed == known


def test_storage_classes_are_called_by_their_names() -> None:
    """Each name in the annex is that of its UID."""
    assert [name for name, uid in rows("storage") if name != (UID(uid).name if UID(uid).name != "" else "–")] == []


def test_the_other_classes_are_rejected() -> None:
    """What the statement says is not taken although its name says storage is not taken; Verification is."""
    assert all(not is_storage(uid) and UID(uid).name == name for name, uid in rows("not storage"))
    known = {uid for uid in UID_dictionary if "Storage" in UID(uid).name and UID(uid).type == "SOP Class"}
    assert {uid for _, uid in rows("not storage")} == {uid for uid in known if not is_storage(uid)}
    assert VERIFICATION in TEXT


def test_the_statuses_that_are_given() -> None:
    """The statement names every status that an SCP of ours answers, and no other."""
    ours = {f"{value:04X}" for name, value in vars(status).items() if name.isupper() and isinstance(value, int)}
    assert {row[0] for row in rows("statuses given")} == ours


def test_what_a_peers_status_means() -> None:
    """The table of statuses is the code's, row by row, and what stands in no row is unknown."""
    ranges = [f"{row.first:04X}" if row.first == row.last else f"{row.first:04X} to {row.last:04X}" for row in STATUSES]
    expected = [(span, row.kind.value, row.reason) for span, row in zip(ranges, STATUSES, strict=True)]
    assert rows("statuses answered") == expected
    assert from_status(0x1234).is_unknown


def test_what_an_association_that_fails_means() -> None:
    """Each event of an association leads to what the statement says."""
    said = {row[0]: row[1] for row in rows("association events")}
    assert said == {
        "not reached, or no connection in time": from_association_error(PeerUnreachable()).kind,
        "no answer in time": from_association_error(PeerSilent()).kind,
        "aborted, or the connection closed": from_association_error(AssociationAborted()).kind,
        "no TLS connection agreed on": from_association_error(TlsFailed()).kind,
        "rejected, transient (result 2)": from_association_error(AssociationRejected(2, 3, 1)).kind,
        "rejected, permanent (result 1)": from_association_error(AssociationRejected(1, 1, 7)).kind,
        "no presentation context accepted for an instance": NO_ACCEPTED_CONTEXT.kind,
    }


def test_the_cipher_suites() -> None:
    """The statement lists the cipher suites that are offered and accepted, under both of their names."""
    assert tuple(row[1] for row in rows("cipher suites")) == CIPHER_SUITES
    for name, short in rows("cipher suites"):
        assert name.replace("TLS_", "").replace("WITH_", "").replace("AES_", "AES").replace("_", "-") == short


def test_the_rejections_that_are_given() -> None:
    """The statement names every result, source and reason of our A-ASSOCIATE-RJ."""
    permanent = acceptor._PERMANENT
    ours = {
        (permanent, acceptor._BY_USER, acceptor._APPLICATION_CONTEXT_NOT_SUPPORTED),
        (permanent, acceptor._BY_USER, acceptor._CALLING_AE_NOT_RECOGNISED),
        (permanent, acceptor._BY_USER, acceptor._CALLED_AE_NOT_RECOGNISED),
        (permanent, acceptor._BY_ACSE, acceptor._VERSION_NOT_SUPPORTED),
        (acceptor._TRANSIENT, acceptor._BY_PRESENTATION, acceptor._LOCAL_LIMIT_EXCEEDED),
    }
    assert {tuple(int(number) for number in row[:3]) for row in rows("rejections")} == ours


@pytest.mark.parametrize("side", ["acceptor", "requestor"])
def test_the_limits(side: str) -> None:
    """The limits in the statement are those in force where the configuration says nothing."""
    own = dataclasses.asdict(limits.Limits())
    if side == "acceptor":
        settings = ApplianceSettings().limits
        own |= {
            "associations": settings.associations,
            "per_host": settings.per_host,
            "first_pdu_seconds": settings.first_pdu,
            "pdu_seconds": settings.pdu,
            "idle_seconds": settings.idle,
            "instance_bytes": settings.instance,
        }
    own |= {"associate_bytes": limits.ASSOCIATE_BYTES, "command_bytes": limits.COMMAND_BYTES}
    for name, _, value in rows(f"limits of the {side}"):
        assert float(value.partition(" ")[0].replace(",", "")) == own[name], name


def test_the_implementation_identification() -> None:
    """The implementation is called as the statement says."""
    assert archive.IMPLEMENTATION_CLASS_UID in TEXT
    assert archive.IMPLEMENTATION_VERSION_NAME in TEXT


def test_the_character_sets() -> None:
    """The statement lists exactly the character sets that are read and written."""
    numbers = {re.sub(r"^ISO_IR ", "", term) for term, _ in rows("character sets")}
    assert numbers == set(charset._CODECS)


def test_keywords_in_the_statement_are_dicom_keywords() -> None:
    """Every attribute named with its tag has the name that PS3.6 gives it."""
    named = re.findall(r"`(\w+)` \(([0-9A-F]{4}),([0-9A-F]{4})\)", TEXT)
    assert named
    assert [keyword for keyword, group, element in named if keyword_for_tag(int(group + element, 16)) != keyword] == []
