"""What the search of a copy finds, and what it does not take for a find: short UIDs, bytes, character sets."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from rules import Header
from rules.anonymising import Egress
from rules.charset import defined
from rules.errors import EditHeldError
from rules.profiles import profile
from tests.support.elements import explicit, implicit, item, sequence
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, decoded, encoded, header, ruleset

IMPLICIT = "1.2.840.10008.1.2"
SHORT = st.from_regex(r"[0-9](\.?[0-9]){0,3}", fullmatch=True).filter(lambda uid: len(uid) <= 5)
AROUND = st.text(string.ascii_letters + string.digits + ". ", min_size=1, max_size=8).filter(str.strip)
LONG = "1.2.826.0.1.3680043.9.7777.1"


def findings(before: Header, after: bytes) -> list[str]:
    """What is found in a copy."""
    copy = Header.scan(after, EXPLICIT_LITTLE_ENDIAN)
    return Egress(before, profile(frozenset()), copy.top.charset).findings(copy)


def raw(tag: int, vr: str, value: bytes) -> bytes:
    """A data set of one element."""
    return explicit(tag, vr, value + b"\0" * (len(value) & 1))


@given(SHORT, AROUND, AROUND)
def test_a_short_uid_inside_of_another_value_is_no_find(uid: str, left: str, right: str) -> None:
    """It is a part of very many: of texts, of numbers, of other UIDs, of bytes."""
    before = header(SOPInstanceUID=uid)
    text = f"{left}.{uid}{right}"
    assert text.strip() != uid
    after = data_set(FilterType=text, SliceThickness="1.25", SeriesNumber="1", FrameOfReferenceUID=f"2.25.{uid}")
    after.add_new(0x00420011, "OB", f"{text} ".encode())
    after.add_new(0x00280010, "US", 0x3131)
    assert findings(before, encoded(after)) == []


@given(SHORT)
def test_a_short_uid_as_a_whole_value_is_a_find(uid: str) -> None:
    """As a UID, alone or one of several, at any depth; in bytes; and, if it looks like one, in a text."""
    before = header(SOPInstanceUID=uid)
    assert findings(before, raw(0x00200052, "UI", uid.encode())) == ["(0020,0052) FrameOfReferenceUID"]
    assert findings(before, raw(0x00200052, "UI", f"2.25.77\\{uid}".encode())) == ["(0020,0052) FrameOfReferenceUID"]
    deep = sequence(0x00540012, item(raw(0x00200052, "UI", uid.encode())))
    assert findings(before, deep) == ["(0020,0052) FrameOfReferenceUID"]
    assert findings(before, raw(0x00420011, "OB", uid.encode())) == ["(0042,0011) EncapsulatedDocument"]
    if "." in uid:
        assert findings(before, raw(0x00181160, "SH", uid.encode())) == ["(0018,1160) FilterType"]


@pytest.mark.parametrize("uid", ["1.2.34", LONG])
def test_a_long_uid_is_found_wherever_it_stands(uid: str) -> None:
    """In a text, in a longer UID that was made of it, and in bytes."""
    before = header(SOPInstanceUID=uid)
    assert findings(before, raw(0x00181160, "SH", f"of {uid}.1".encode())) == ["(0018,1160) FilterType"]
    assert findings(before, raw(0x00420011, "OB", f"of {uid}.1".encode())) == ["(0042,0011) EncapsulatedDocument"]


def test_instances_with_short_uids_leave() -> None:
    """Made by hand or by a phantom's program: they got held for nearly every number in them."""
    before = data_set(SOPInstanceUID="1", StudyInstanceUID="2", SeriesInstanceUID="1.2", SliceThickness="1.25")
    before.update(data_set(SoftwareVersions="11.2.1", InstanceNumber="1", Rows=1, Modality="MR"))
    data = encoded(before)
    rules = ruleset("routes: [{name: out, edit: [{anonymise: basic}], to: [research]}]")
    splice = rules.prepare("out", Header.scan(data, EXPLICIT_LITTLE_ENDIAN), arrival()).splice
    assert splice is not None
    made = decoded(splice.prefix)
    assert (made.SoftwareVersions, made.SliceThickness) == ("11.2.1", "1.25")
    assert {made.SOPInstanceUID[:5], made.StudyInstanceUID[:5], made.SeriesInstanceUID[:5]} == {"2.25."}


@pytest.mark.parametrize(
    ("tag", "vr"), [(0x00080000, "UL"), (0x00280010, "US"), (0x00189701, "FD"), (0x00720050, "AT")]
)
def test_a_name_in_the_bytes_of_numbers_is_found(tag: int, vr: str) -> None:
    """Numbers are bytes as well."""
    before = header(PatientName="Zwetschgenbaum^Anna", PatientID="QX8812-77")
    for planted in (b"ZWETSCHGENBAUM  ", b"  qx8812-77     "):
        assert len(findings(before, raw(tag, vr, planted))) == 1
    assert findings(before, raw(tag, vr, b"ZWETSCHGEN-KUCHEN       ")) == []


@pytest.mark.parametrize("layout", ["explicit", "implicit"])
@pytest.mark.parametrize("value", [b"ZWETSCHGENBAUM", b"\x10\0\0\0", b"", b"AB"])
def test_group_lengths_do_not_leave(layout: str, value: bytes) -> None:
    """At any depth and of whatever length: nobody needs them, and nobody looks at what is in them."""
    if layout == "explicit":
        lengths = [explicit(group << 16, vr, value) for group, vr in ((0x0008, "UL"), (0x0009, "UL"), (0x0028, "LO"))]
        uid = explicit(0x00080018, "UI", b"1.2.3.4.")
        inner = sequence(0x00081140, item(lengths[0] + explicit(0x00081150, "UI", b"1.2.840.10008.1.1\0")))
    else:
        lengths = [implicit(group << 16, value) for group in (0x0008, 0x0009, 0x0028)]
        uid = implicit(0x00080018, b"1.2.3.4.")
        inner = implicit(0x00081140, item(lengths[0] + implicit(0x00081150, b"1.2.840.10008.1.1\0")))
    data = lengths[0] + uid + inner + lengths[1] + lengths[2]
    syntax = EXPLICIT_LITTLE_ENDIAN if layout == "explicit" else IMPLICIT
    rules = ruleset("routes: [{name: out, edit: [{anonymise: basic}], to: [research]}]")
    splice = rules.prepare("out", Header.scan(data, syntax), arrival()).splice
    assert splice is not None
    top = Header.scan(splice.prefix, syntax).top
    assert not [tag for tag in top.offsets if not tag & 0xFFFF]
    assert list(top.children(0x00081140)[0].offsets) == [0x00081150]
    assert b"ZWETSCH" not in splice.prefix


@pytest.mark.parametrize(
    ("terms", "written"),
    [
        (("ISO_IR 100",), ("ISO_IR 100",)),
        (("", "ISO 2022 IR 87"), ("", "ISO 2022 IR 87")),
        (("ISO 2022 IR 13", "ISO 2022 IR 87"), ("ISO 2022 IR 13", "ISO 2022 IR 87")),
        (("GB18030",), ("GB18030",)),
        (("iso-ir 100",), ("ISO_IR 100",)),
        (("ISO2022IR100", "ISO 2022-IR 87"), ("ISO 2022 IR 100", "ISO 2022 IR 87")),
        (("gbk",), ("GBK",)),
        (("192",), ("ISO_IR 192",)),
        (("ISO_IR 100", "ZWETSCHGENBAUM"), None),
        (("ISO_IR 100 ZWETSCHGENBAUM",), None),
        (("ISO_IR 100\0ZWETSCHGENBAUM",), None),
        (("ISO_IR 19510217",), None),
        (("UTF-8",), None),
    ],
)
def test_terms_of_character_sets(terms: tuple[str, ...], written: tuple[str, ...] | None) -> None:
    """They leave as the standard writes them; what is none of its terms is held, and found where it has left."""
    assert defined(terms) == written
    character_set = raw(0x00080005, "CS", "\\".join(terms).encode())
    is_as_written = written == terms
    assert findings(header(), character_set) == ([] if is_as_written else ["(0008,0005) SpecificCharacterSet"])
    inner = sequence(0x00540012, item(character_set))
    for data in (character_set, raw(0x00080005, "CS", b"ISO_IR 192") + inner):
        whole = Header.scan(data + explicit(0x00700080, "CS", b"A "), EXPLICIT_LITTLE_ENDIAN)
        rules = ruleset("routes: [{name: out, edit: [{anonymise: basic}], to: [research]}]")
        if written is None:
            with pytest.raises(EditHeldError, match="SpecificCharacterSet has a term") as caught:
                rules.prepare("out", whole, arrival())
            assert "ZWETSCH" not in str(caught.value)
            continue
        splice = rules.prepare("out", whole, arrival()).splice
        assert splice is not None
        top = Header.scan(splice.prefix, EXPLICIT_LITTLE_ENDIAN).top
        level = top.children(0x00540012)[0] if 0x00540012 in top.offsets else top
        assert level.charset.terms == written


def test_a_right_character_set_lets_it_go() -> None:
    """As the reason says: a rule that sets it has the text read with it."""
    before = data_set(SOPInstanceUID="1.2", PatientName="Müller^Eva", FilterType="of MÜLLER")
    data = encoded(before).replace(b"ISO_IR 192", b"UTF-8     ")
    edits = "{set: {SpecificCharacterSet: ISO_IR 192}}, {anonymise: basic}"
    rules = ruleset(f"routes: [{{name: out, edit: [{edits}], to: [research]}}]")
    splice = rules.prepare("out", Header.scan(data, EXPLICIT_LITTLE_ENDIAN), arrival()).splice
    assert splice is not None
    made = decoded(splice.prefix)
    assert (made.SpecificCharacterSet, made.FilterType) == ("ISO_IR 192", "of")


def test_text_that_an_edit_converts_is_read_as_it_came() -> None:
    """A text of another script has the header converted to UTF-8; what was Latin-1 is searched as Latin-1."""
    before = Dataset()
    before.SpecificCharacterSet = "ISO_IR 100"
    before.SOPInstanceUID, before.PatientName, before.FilterType = "1.2", "Müller^Eva", "of MÜLLER, ÄTHER"
    before.EnergyWindowInformationSequence = Sequence([data_set(FilterType="of Müller")])
    del before.EnergyWindowInformationSequence[0].SpecificCharacterSet
    edits = "{set: {SeriesDescription: 홍길동}}, {anonymise: {clean: [descriptors]}}"
    rules = ruleset(f"routes: [{{name: out, edit: [{edits}], to: [research]}}]")
    splice = rules.prepare("out", Header.scan(encoded(before), EXPLICIT_LITTLE_ENDIAN), arrival()).splice
    assert splice is not None
    made = decoded(splice.prefix)
    assert (made.SpecificCharacterSet, made.FilterType) == ("ISO_IR 192", "of , ÄTHER")
    assert made.EnergyWindowInformationSequence[0].FilterType == "of"
