"""The ruleset at work: what the archive keeps, what is held, what each copy is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import Attribute, Header, RulesError, Verdict, undo
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, encoded, header, ruleset

PATIENT_ID = Attribute.parse("PatientID")
PAD = """
normalise:
  - name: pad
    when: {PatientID: {matches: '\\d{1,7}'}}
    edit: [{pad: {keyword: PatientID, width: 8, with: "0"}}]
routes:
  - name: all
    edit: [{blank: PatientName}]
    to: [full-pacs]
"""


def test_unchanged_stays_as_it_came() -> None:
    """Where no rule changes anything there is no splice, and the header is not even recorded in."""
    decision = ruleset(PAD, original_attributes=True).decide(header(PatientID="12345678"), arrival())
    assert decision.splice is None
    assert decision.changes == ()
    assert decision.held is None


def test_splice_and_undo() -> None:
    """The archive's bytes are the original's with the named attribute changed; undoing gives the original back."""
    original = encoded(data_set(PatientID="1234567", PatientName="DOE", Rows=2))
    decision = ruleset(PAD).decide(Header.scan(original, EXPLICIT_LITTLE_ENDIAN), arrival())
    assert decision.splice is not None
    kept = decision.splice.prefix + original[decision.splice.resume :]
    assert kept == encoded(data_set(PatientID="01234567", PatientName="DOE", Rows=2))
    assert undo(decision.splice.prefix, decision.splice.restore) == original[: decision.splice.resume]
    assert decision.header.values(PATIENT_ID) == ("01234567",)


def test_original_attributes() -> None:
    """What was changed is recorded in the archived object, with time and system, unless that is switched off."""
    came = arrival(at=datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
    decision = ruleset(PAD, original_attributes=True).decide(header(PatientID="1234567"), came)
    assert decision.splice is not None
    kept = Header.scan(decision.splice.prefix, EXPLICIT_LITTLE_ENDIAN)
    read = {
        name: kept.values(Attribute.parse(f"OriginalAttributesSequence[0].{name}"))
        for name in ("ModifiedAttributesSequence[0].PatientID", "ModifyingSystem", "AttributeModificationDateTime")
    }
    assert read == {
        "ModifiedAttributesSequence[0].PatientID": ("1234567",),
        "ModifyingSystem": ("MICROPACS",),
        "AttributeModificationDateTime": ("20260302120000.000000+0000",),
    }


def test_same_input_same_bytes() -> None:
    """Deciding and preparing twice yields the same bytes."""
    rules = ruleset(PAD, original_attributes=True)
    read = header(PatientID="1234567", PatientName="DOE")
    assert rules.decide(read, arrival()).splice == rules.decide(read, arrival()).splice
    assert rules.prepare("all", read, arrival()) == rules.prepare("all", read, arrival())


def test_prepare() -> None:
    """A route's edits are made on the copy, with the changes told; the archived header is not touched."""
    read = header(PatientID="1", PatientName="DOE")
    prepared = ruleset(PAD).prepare("all", read, arrival())
    assert [(each.rule, each.attribute, each.old, each.new) for each in prepared.changes] == [
        ("all", "PatientName", "DOE", "")
    ]
    assert prepared.splice is not None
    assert prepared.splice.prefix == encoded(data_set(PatientID="1", PatientName=""))
    assert read.values(Attribute.parse("PatientName")) == ("DOE",)


def test_prepare_nothing() -> None:
    """Otherwise has no edits; a copy that no edit changes goes as archived; an unknown route is an error."""
    rules = ruleset(PAD)
    assert rules.prepare("otherwise", header(), arrival()).splice is None
    assert rules.prepare("all", header(PatientID="1"), arrival()).splice is None
    with pytest.raises(RulesError, match="there is no route 'none'"):
        rules.prepare("none", header(), arrival())


def test_a_condition_that_cannot_be_evaluated_holds() -> None:
    """A header whose attribute cannot be decoded is held by the rule that asks for it."""
    broken = encoded(data_set(PatientName="DOE", Rows=1)).replace(
        b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x10\x00US\x01\x00"
    )
    rules = ruleset("routes: [{name: large, when: {Rows: {above: '512'}}, to: [full-pacs]}]")
    try:
        read = Header.scan(broken[:-1], EXPLICIT_LITTLE_ENDIAN)
    except RulesError:
        return  # then it never comes to a rule
    decision = rules.decide(read, arrival())
    assert not decision.dispatches


def test_by_hand_comes_first() -> None:
    """A person's correction is made before the first rule, which sees it; braces in it are plain text."""
    decision = ruleset(PAD).decide(header(PatientID="wrong"), arrival(), {"PatientID": "77", "StudyID": "{x}"})
    assert [(each.rule, each.attribute, each.old, each.new) for each in decision.changes] == [
        ("by hand", "PatientID", "wrong", "77"),
        ("by hand", "StudyID", None, "{x}"),
        ("pad", "PatientID", "77", "00000077"),
    ]


OLD_IDS = """
normalise:
  - {name: old, when: {source: dste}, edit: [lookup: {keyword: PatientID, table: ids}]}
  - {name: other, when: {source: dste}, edit: [lookup: {keyword: PatientID, table: others}]}
"""
TABLES = {"ids": "old,new\nA,1\n", "others": "old,new\n1,1\n42,43\n"}


@pytest.mark.parametrize(
    ("by_hand", "let_by", "held_by", "held"),
    [
        ({"PatientID": "42"}, None, "old", None),  # they have said what it shall be
        ({"PatientID": "A"}, None, "old", None),  # or which one it is in the table
        ({"PatientID": "7"}, None, "old", "other"),  # of the other table nobody has asked them yet
        ({"PatientID": "7"}, "other", "other", None),
        ({"PatientID": "42"}, None, "another", "old"),  # they have answered something else
        ({"StudyID": "42"}, None, "old", "old"),
        ({"PatientID": ""}, None, "old", "old"),
        ({}, "old", "old", "old"),
    ],
)
def test_what_is_given_in_answer_to_a_hold_needs_no_line(
    by_hand: dict[str, str], let_by: str | None, held_by: str, held: str | None
) -> None:
    """A lookup that held an instance keeps what a person gave it as the value; no other lookup does."""
    rules = ruleset(OLD_IDS, TABLES)
    decision = rules.decide(header(PatientID="999"), arrival(), by_hand, let_by=let_by, held_by=held_by)
    assert (decision.held.rule if decision.held else None) == held


@pytest.mark.parametrize(
    ("name", "text"), [("SOPInstanceUID", "1.2"), ("PatientIDD", "1"), ("StudyInstanceUID", ""), ("Rows", "many")]
)
def test_by_hand_within_limits(name: str, text: str) -> None:
    """A correction that no rule could make either holds the instance again."""
    decision = ruleset(PAD).decide(header(PatientID="1"), arrival(), {name: text})
    assert decision.held is not None
    assert decision.held.rule == "by hand"


def test_names_in_use() -> None:
    """The ruleset knows which destinations, sources and tables it names."""
    rules = ruleset(
        """
        normalise:
          - name: a
            when: {any: [{source: dls}, {not: {source: [dste, "b*"]}}]}
            edit: [{lookup: {keyword: PatientID, table: t}}]
        routes:
          - {name: b, to: [x, y]}
        otherwise: [z]
        """,
    )
    assert rules.destinations == {"x", "y", "z"}
    assert rules.sources == {"dls", "dste"}
    assert rules.tables == {"t"}


def test_two_rules_of_one_name() -> None:
    """Two rules of one name make no ruleset: the queue and the database know rules by name."""
    with pytest.raises(RulesError, match="two rules are named 'a'"):
        ruleset("routes: [{name: a, to: [x]}, {name: a, to: [y]}]")


texts = st.text(st.characters(), max_size=20)


@given(texts, texts, st.sampled_from(["", "0", "7", "1234567", "12345678", "X1"]))
def test_decide_never_raises(name: str, description: str, patient_id: str) -> None:
    """Whatever the text, an instance is decided on; and what is kept, normalised again, does not change."""
    rules = ruleset(
        PAD
        + """
  - name: a
    when: {any: [{PatientName: "*a*"}, {StudyDescription: {matches: '.*\\w'}}, {StudyDescription: {above: "5"}}]}
    edit: [{set: {StudyDescription: "{PatientID}"}}, {upper: PatientName}]
    to: [b]
"""
    )
    made = data_set(PatientID=patient_id)
    safe = [text.replace("\\", "").encode("utf-8", "replace").decode() for text in (name, description)]
    made.add_new(0x00100010, "PN", safe[0])
    made.add_new(0x00081030, "LO", safe[1])
    read = Header.scan(encoded(made), EXPLICIT_LITTLE_ENDIAN)
    decision = rules.decide(read, arrival())
    assert decision.rejected is None
    kept = read if decision.splice is None else Header.scan(decision.splice.prefix, EXPLICIT_LITTLE_ENDIAN)
    assert rules.decide(kept, arrival()).splice is None


def test_reasons_hold_no_patient_values() -> None:
    """The reason of a hold names rule and attribute, never a value."""
    rules = ruleset(
        "normalise: [{name: ids, edit: [{lookup: {keyword: PatientID, table: t, missing: hold}}]}]",
        {"t": "old,new\n1,2\n"},
    )
    held = rules.decide(header(PatientID="SECRET99"), arrival()).held
    assert isinstance(held, Verdict)
    assert held.rule == "ids"
    assert "PatientID" in held.reason
    assert "SECRET99" not in held.reason
