"""Two headers side by side: every attribute that differs is named once, with both values, and no other."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from rules import Difference, Draft, Header, differences, spliced
from rules.attribute import Attribute
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, data_set, encoded, header, ruleset
from tests.support.rules import arrival as came


def test_the_same_header_differs_in_nothing() -> None:
    """Nor do two that say the same."""
    assert differences(header(PatientID="1"), header(PatientID="1")) == []


def test_added_removed_emptied_and_changed_are_told_apart() -> None:
    """None is absent, an empty text is empty; the order is that of the tags."""
    old = header(Modality="CT", PatientName="A", PatientID="1", StudyDescription="x")
    new = header(Modality="CT", PatientName="", PatientID="2", PatientSex="F")
    assert differences(old, new) == [
        Difference("StudyDescription", "x", None),
        Difference("PatientName", "A", ""),
        Difference("PatientID", "1", "2"),
        Difference("PatientSex", None, "F"),
    ]


def item(**attributes: object) -> Dataset:
    """An item of a sequence."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def test_items_are_gone_into_where_there_are_as_many() -> None:
    """The path says which item; sequences of another length are told by their number of items."""
    old = header(
        RequestAttributesSequence=Sequence([item(ScheduledProcedureStepID="1"), item(RequestedProcedureID="a")])
    )
    new = header(
        RequestAttributesSequence=Sequence([item(ScheduledProcedureStepID="1"), item(RequestedProcedureID="b")])
    )
    assert differences(old, new) == [Difference("RequestAttributesSequence[1].RequestedProcedureID", "a", "b")]
    fewer = header(RequestAttributesSequence=Sequence([item(ScheduledProcedureStepID="1")]))
    assert differences(old, fewer) == [Difference("RequestAttributesSequence", "2 items", "1 item")]
    assert differences(fewer, header()) == [Difference("RequestAttributesSequence", "1 item", None)]


def test_private_attributes_are_named_by_their_creator() -> None:
    """As a rule would name them; bytes that are no text are counted."""
    made = []
    for value in (b"\0\1", b"\0\1\2\3"):
        each = data_set(Modality="PT")
        block = each.private_block(0x0009, "GEMS_PETD_01", create=True)
        block.add_new(0x99, "OB", value)
        made.append(Header.scan(encoded(each), EXPLICIT_LITTLE_ENDIAN))
    assert differences(*made) == [Difference("(0009,xx99 GEMS_PETD_01)", "2 bytes", "4 bytes")]


def test_the_record_of_old_values_is_told_only_alone() -> None:
    """Where an attribute differs its record does, too; where only the record does it is told."""
    original = header(PatientID="1", Modality="CT")

    def kept(edit: str, *, recorded: bool = True) -> Header:
        rules = ruleset(f"normalise: [{{name: one, edit: [{edit}]}}]", original_attributes=recorded)
        return spliced(original, rules.decide(original, came()).splice)

    with_id, with_name = "set: {PatientID: '2'}", "set: {PatientID: '2', PatientName: A}"
    assert differences(kept(with_id), kept(with_name)) == [Difference("PatientName", None, "A")]
    assert differences(kept(with_id), kept(with_id, recorded=False)) == [
        Difference("OriginalAttributesSequence", "1 item", None)
    ]


def test_without_a_splice_the_header_is_itself() -> None:
    """And with one it is what the draft says."""
    before = header(PatientID="1")
    assert spliced(before, None) is before
    draft = Draft(before)
    draft.set(Attribute.parse("PatientID"), ["2"])
    assert differences(before, spliced(before, draft.splice())) == [Difference("PatientID", "1", "2")]
