"""Copies made again: the same as made anew, for whatever instance comes after whatever other."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import Arrival, Attribute, Draft, EditContext, EditError, Header, Prepared, Ruleset, RulesSettings, undo
from rules.edits import Edit
from rules.schema import RouteRule
from tests.support.elements import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, explicit, implicit, item, sequence
from tests.support.rules import MONDAY_NOON, arrival, ruleset

EDITS = [
    "set: {InstitutionName: NATIONAL CANCER CENTER}",
    'set: {StudyDescription: "{PatientID} {Modality}"}',
    "set: {PatientComments: Müller}",
    'set: {SpecificCharacterSet: "ISO_IR 192"}',
    'set: {InstitutionName: "{TransferSyntaxUID}"}',
    "set: {SmallestImagePixelValue: 7}",
    "copy: {from: PatientID, to: AccessionNumber}",
    "copy: {from: StudyID, to: PatientID}",
    "prefix: {AccessionNumber: NM-}",
    'suffix: {keyword: StudyDescription, with: " (PET/CT)"}',
    'pad: {keyword: PatientID, width: 8, with: "0"}',
    "blank: [ReferringPhysicianName, StudyDescription]",
    "remove: [PatientID, RequestAttributesSequence]",
    "upper: [PatientName]",
    "truncate: {StudyDescription: 3}",
    "replace: {keyword: PatientName, pattern: 'a', with: 'b'}",
    "lookup: {keyword: PatientID, table: wards, missing: keep}",
    "lookup: {keyword: PatientID, table: wards, missing: hold}",
    'set: {"RequestAttributesSequence[0].RequestedProcedureID": RP}',
    'set: {"(0099,xx01 MICROPACS)": "private"}',
]
TABLES = {"wards": "key,ward\n12,W12\n"}
ELEMENTS = {
    0x00080000: [None, None, b"\x10\0\0\0"],
    0x00080005: [b"ISO_IR 100", b"", None, b"ISO 2022 IR 6\\ISO 2022 IR 87 "],
    0x00080050: [b"A1", b"", None],
    0x00080060: [b"PT", b"CT"],
    0x00080090: [b"REFERRER", None],
    0x00081030: [b"study ", b"M\xfcll", None, b"a\\b "],
    0x00100010: [b"Doe^Jan ", b"M\xfcller", b"a" * 64],
    0x00100020: [b"12", b"123456789 ", None, b"", b" 12 "],
    0x00200010: [b"S1", None],
    0x00280103: [b"\0\0", b"\1\0", None],
    0x00280106: [b"\xff\xff", None],
    0x00990010: [None, b"MICROPACS ", b"OTHER "],
}
VRS = {0x00080000: "UL", 0x00080005: "CS", 0x00080050: "SH", 0x00080060: "CS", 0x00080090: "PN", 0x00081030: "LO"}
VRS |= {0x00100010: "PN", 0x00100020: "LO", 0x00200010: "SH", 0x00280103: "US", 0x00280106: "US", 0x00990010: "LO"}
JPEG = "1.2.840.10008.1.2.4.70"
FIVE = [EDITS[0], EDITS[8], EDITS[10], "blank: ReferringPhysicianName", EDITS[9]]


def rules(edits: list[str]) -> Ruleset:
    """One route with these edits."""
    listed = "".join(f"\n      - {edit}" for edit in edits)
    return ruleset(f"routes:\n  - name: copy\n    edit:{listed}\n    to: [pacs]", TABLES)


def data_set(values: dict[int, bytes | None], syntax: str, *, twice: bool = False) -> bytes:
    """A small data set; `twice` with one element that comes again."""
    made = sorted((tag, value) for tag, value in values.items() if value is not None)
    if twice:
        made.append((0x00100020, b"99"))
    if syntax == IMPLICIT:
        pieces = [implicit(tag, value) for tag, value in made]
        return b"".join([*pieces, implicit(0x7FE00010, b"\1\2")])
    order = ">" if syntax == BIG_ENDIAN else "<"
    pieces = [explicit(tag, VRS[tag], value, order=order) for tag, value in made]
    if syntax == EXPLICIT:
        pieces.append(sequence(0x00400275, item(explicit(0x00401001, "SH", b"RQ"))))
    return b"".join([*pieces, explicit(0x7FE00010, "OW", b"\1\2", order=order)])


def outcome(ruleset: Ruleset, header: Header) -> Prepared | tuple[type, str]:
    """The copy, or why there is none."""
    try:
        return ruleset.prepare("copy", header, arrival())
    except EditError as error:
        return type(error), str(error)


HEADERS = st.fixed_dictionaries({tag: st.sampled_from(values) for tag, values in ELEMENTS.items()})


@settings(max_examples=300, deadline=None)
@given(
    edits=st.lists(st.sampled_from(EDITS), min_size=1, max_size=4),
    headers=st.lists(HEADERS, min_size=1, max_size=6),
    syntax=st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN]),
    twice=st.booleans(),
)
def test_any_copy_after_any_other(edits: list[str], headers: list[dict], syntax: str, twice: bool) -> None:
    """A copy is the same, to the byte, whether others were made before or not; so is the error where there is none."""
    seasoned = rules(edits)
    for values in [*headers, *headers]:
        data = data_set(values, syntax, twice=twice and values is headers[-1])
        header = Header.scan(data, syntax)
        made = outcome(seasoned, header)
        assert made == outcome(rules(edits), Header.scan(data, syntax))
        if isinstance(made, Prepared) and made.splice is not None:
            assert undo(made.splice.prefix, made.splice.restore) == data[: made.splice.resume]


def test_edits_are_made_once_a_study(monkeypatch: pytest.MonkeyPatch) -> None:
    """In instances whose edited elements are the same the edits are made once, wherever these elements lie."""
    drafts = [0]

    class Counted(Draft):
        def __init__(self, header: Header) -> None:
            drafts[0] += 1
            super().__init__(header)

    monkeypatch.setattr("rules.copies.Draft", Counted)
    ready = rules(FIVE)
    values = {tag: several[0] for tag, several in ELEMENTS.items()}
    prefixes = set()
    for number in range(50):
        data = explicit(0x00080001, "UL", bytes(2 * number)) + data_set(values, EXPLICIT)
        prepared = ready.prepare("copy", Header.scan(data, EXPLICIT), arrival())
        assert prepared.splice is not None
        assert undo(prepared.splice.prefix, prepared.splice.restore) == data[: prepared.splice.resume]
        assert b"NATIONAL CANCER CENTER" in prepared.splice.prefix
        assert explicit(0x00100020, "LO", b"00000012") in prepared.splice.prefix
        prefixes.add(prepared.splice.prefix)
    assert drafts[0] == 1
    assert len(prefixes) == 50
    ready.prepare("copy", Header.scan(data_set(values | {0x00100020: b"13"}, EXPLICIT), EXPLICIT), arrival())
    assert drafts[0] == 2


def test_deflated_and_unchanged() -> None:
    """A deflated data set is edited again as well; a copy that needs no change has no splice, again and again."""
    values = {tag: several[0] for tag, several in ELEMENTS.items()}
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(data_set(values, EXPLICIT)) + deflater.flush()
    ready = rules(FIVE)
    first, second = (ready.prepare("copy", Header.scan(data, DEFLATED), arrival()) for _ in range(2))
    assert first == second
    assert first.splice is not None
    plain = rules([EDITS[0]])
    done = Header.scan(explicit(0x00080080, "LO", b"NATIONAL CANCER CENTER"), EXPLICIT)
    assert [plain.prepare("copy", done, arrival()) for _ in range(3)] == [Prepared((), None)] * 3


def test_what_is_kept_is_bounded() -> None:
    """However many patients there are, and however long their values, only a few results are kept."""
    ready = rules(FIVE)
    copies = ready._copies["copy"]
    values = {tag: several[0] for tag, several in ELEMENTS.items()}
    for number in range(1000):
        data = data_set(values | {0x00100020: b"%04d" % number}, EXPLICIT)
        assert ready.prepare("copy", Header.scan(data, EXPLICIT), arrival()).splice is not None
        assert len(copies._made) <= 64
    ready = rules(["set: {PatientComments: short}"])
    long = Header.scan(explicit(0x00104000, "LT", b"x" * 10_000), EXPLICIT)
    assert ready.prepare("copy", long, arrival()).splice is not None
    assert ready._copies["copy"]._made == {}


@pytest.mark.parametrize(
    ("edit", "first", "second"),
    [
        (EDITS[0], (b"", EXPLICIT), (b"", BIG_ENDIAN)),
        (EDITS[4], (explicit(0x00080080, "LO", b"old "), EXPLICIT), (explicit(0x00080080, "LO", b"old "), JPEG)),
        (EDITS[2], (b"", EXPLICIT), (explicit(0x00100010, "PN", b"M\xfcll"), EXPLICIT)),
        (
            EDITS[5],
            (implicit(0x00280103, b"\0\0") + implicit(0x00280106, b"\xff\xff"), IMPLICIT),
            (implicit(0x00280103, b"\1\0") + implicit(0x00280106, b"\xff\xff"), IMPLICIT),
        ),
        (
            'set: {"(0029,1008)": TEXT}',
            (implicit(0x00290010, b"SIEMENS CSA HEADER") + implicit(0x00291008, b" TEXT "), IMPLICIT),
            (implicit(0x00290010, b"SOMEBODY ELSE ") + implicit(0x00291008, b" TEXT "), IMPLICIT),
        ),
        (
            EDITS[18],
            (sequence(0x00400275, item(explicit(0x00401001, "SH", b"RP"))), EXPLICIT),
            (sequence(0x00400275, item(explicit(0x00401001, "SH", b"RQ"))), EXPLICIT),
        ),
    ],
    ids=["byte order", "transfer syntax", "other text", "signs", "private creator", "inside a sequence"],
)
def test_what_else_it_depends_on(edit: str, first: tuple[bytes, str], second: tuple[bytes, str]) -> None:
    """Where more than the edited elements counts, the second copy is not taken from the first."""
    ready = rules([edit])
    made = [outcome(ready, Header.scan(*each)) for each in (first, second, first)]
    assert made == [outcome(rules([edit]), Header.scan(*each)) for each in (first, second, first)]
    assert made[0] != made[1]


class _Arrived(Edit):
    """An edit of a kind to come, that takes from the arrival what it does not tell of."""

    def apply(self, draft: Draft, context: EditContext) -> None:
        draft.set(Attribute.parse("StationName"), (context.arrival.host,))

    def writes(self) -> tuple[Attribute, ...]:
        return (Attribute.parse("StationName"),)


def test_an_edit_that_may_depend_on_anything_is_always_made() -> None:
    """An edit that does not say what it takes is made for every instance anew."""
    rule = RouteRule(name="copy", edit=(_Arrived(),), to=("pacs",))
    ready = Ruleset(RulesSettings(routes=(rule,)), {}, system="MICROPACS")
    header = Header.scan(data_set({0x00100020: b"12"}, EXPLICIT), EXPLICIT)
    for host in ("10.0.0.1", "10.0.0.2"):
        came = Arrival("source", "A", "B", host, MONDAY_NOON)
        assert ready.prepare("copy", header, came).changes[0].new == host
