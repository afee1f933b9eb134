"""Looking up which rules match gives what asking every condition gives, and neither remembers too much."""

import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import (
    Arrival,
    Attribute,
    Change,
    Decision,
    Draft,
    EditContext,
    Facts,
    FiledSeries,
    Header,
    RouteRule,
    RulesError,
    Ruleset,
    RulesSettings,
    Splice,
    Table,
    matching,
)
from rules.clause import Clause
from rules.matching import Matching, Node
from rules.original_attributes import record
from rules.schema import Rule
from rules.subject import Reading, Subject
from rules.trace import Witness
from rules.walk import apply
from tests.support.rules import EXPLICIT_LITTLE_ENDIAN, arrival, data_set, encoded, header, ruleset

STEP = "RequestAttributesSequence[0].ScheduledProcedureStepID"
PRIVATE = "(0009,xx10 ACME)"
SOUND_ITEM = b"\x40\x00\x09\x00SH\x02\x00s1"
CUT_ITEM = b"\x40\x00\x09\x00SH\x64\x00s1"  # says that it is longer than its item
TESTS: list[tuple[str, object]] = [
    ("Modality", "PT"),
    ("Modality", ["CT", "M*"]),
    ("StudyDescription", "*trial*"),
    ("StudyDescription", {"contains": "pet"}),
    ("StudyDescription", {"present": "false"}),
    ("PatientID", {"matches": r"\d{1,7}"}),
    ("PatientID", {"exactly": "00000012"}),
    ("PatientName", "m?ller*"),
    ("PatientName", {"not": "山田*"}),
    ("OtherPatientIDs", ["12", {"starts": "x"}]),
    ("InstanceNumber", {"above": "2"}),
    ("InstanceNumber", {"between": ["1", "2"]}),
    (PRIVATE, {"ends": "z"}),
    (STEP, "s1"),
    ("RequestAttributesSequence", {"present": "true"}),
    ("OriginalAttributesSequence", {"present": "true"}),
    ("source", ["dste", "k*"]),
    ("host", ["10.1.0.0/16", "scanner"]),
    ("time", "18:00:30-07:00"),
    ("weekday", ["sat", "sunday"]),
    ("suv_computable", "false"),
    ("same_frame_of_reference", ["PT", "CT"]),
]
EDITS: list[dict[str, object]] = [
    {"set": {"Modality": "CT"}},
    {"set": {"PatientName": "山田"}},  # may convert the character set
    {"set": {"SpecificCharacterSet": "ISO_IR 192"}},
    {"set": {"OtherPatientIDs": "{PatientID}"}},
    {"set": {STEP: "s1"}},
    {"set": {PRIVATE: "z"}},
    {"set": {"Modality": "{Modality}"}},  # changes nothing
    {"pad": {"keyword": "PatientID", "width": "8", "with": "0"}},
    {"blank": "StudyDescription"},
    {"remove": "StudyDescription"},
    {"private": "remove"},
    {"lookup": {"keyword": "PatientID", "table": "ids", "missing": "hold"}},
    {"set": {"ImageComments": "looked up\u2122"}},
]
TABLES = {"ids": Table.from_csv("ids", "old,new\n12,00000012\nx1,77\n")}

CONDITIONS = st.recursive(
    st.sampled_from(TESTS).map(lambda test: {test[0]: test[1]}),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=4,
)


@st.composite
def rules(draw: st.DrawFn) -> RulesSettings:
    """Rules of every kind, with conditions on what the ones before edit."""
    whens = st.lists(st.one_of(CONDITIONS, CONDITIONS, st.none()), max_size=6)
    disabled = st.sampled_from(["false", "false", "false", "true"])
    normalise: list[dict[str, object]] = [
        {"name": f"n{number}", "when": when, "disabled": draw(disabled)}
        | ({"hold": "look"} if draw(st.integers(0, 11)) == 0 else {"edit": [draw(st.sampled_from(EDITS))]})
        for number, when in enumerate(draw(whens))
    ]
    routes: list[dict[str, object]] = [
        {
            "name": f"r{number}",
            "when": when,
            "disabled": draw(disabled),
            "to": [draw(st.sampled_from("abc"))],
            "stop": draw(disabled),
        }
        for number, when in enumerate(draw(whens))
    ]
    for rule in [*normalise, *routes]:
        if rule["when"] is None:
            del rule["when"]
    return RulesSettings.model_validate({"normalise": normalise, "routes": routes})


@st.composite
def headers(draw: st.DrawFn) -> Header:
    """In Latin-1 or UTF-8, with a private attribute and a sequence, which may be cut short inside."""
    made = data_set(SpecificCharacterSet=draw(st.sampled_from(["ISO_IR 100", "ISO_IR 192"])))
    pools: dict[str, list[object]] = {
        "Modality": ["PT", "CT", ""],
        "StudyDescription": ["fdg trial", "PET", ""],
        "PatientID": ["1", "12", "x1", "00000012"],
        "PatientName": ["Müller", "kes^a"],
        "OtherPatientIDs": ["12", ["3", "x1"]],
        "InstanceNumber": ["1", "3"],
        "ImagePositionPatient": [[0, 0, 0]],
        "FrameOfReferenceUID": ["1.2", "1.3"],
    }
    for keyword, values in pools.items():
        value = draw(st.sampled_from([None, *values]))
        if value is not None:
            setattr(made, keyword, value)
    if draw(st.booleans()):
        made.private_block(0x0009, "ACME", create=True).add_new(0x10, "LO", draw(st.sampled_from(["z", "y"])))
    data = encoded(made)
    item = draw(st.sampled_from([None, SOUND_ITEM, CUT_ITEM]))
    if item is not None:
        data += struct.pack("<HH2s2xLHHL", 0x0040, 0x0275, b"SQ", 8 + len(item), 0xFFFE, 0xE000, len(item)) + item
    return Header.scan(data, EXPLICIT_LITTLE_ENDIAN)


ARRIVALS = st.builds(
    Arrival,
    st.sampled_from([None, "dste", "kes"]),
    st.just("SCANNER"),
    st.just("MICROPACS"),
    st.sampled_from(["10.1.1.1", "10.2.1.1", "scanner", ""]),
    st.sampled_from(
        [
            datetime(2026, 3, 2, 18, 0, 29, 999_999, tzinfo=UTC),
            datetime(2026, 3, 2, 18, 0, 30, tzinfo=UTC),
            datetime(2026, 3, 7, 6, 59, 59, 1, tzinfo=UTC),
            datetime(2026, 3, 8, 7, tzinfo=UTC),
        ]
    ),
    st.sampled_from([(), (FiledSeries("CT", "1.2"),)]),
)
INSTANCES = st.lists(st.tuples(headers(), ARRIVALS), min_size=1, max_size=5)


Said = tuple[str | None, list[str], list[Change], Splice | None]


def looked_up(decision: Decision) -> Said:
    """The rule that holds it, or the routes that send it, the changes and the new bytes."""
    routes = [dispatch.route for dispatch in decision.dispatches]
    return decision.held.rule if decision.held else None, routes, list(decision.changes), decision.splice


def asked_one_by_one(rules: Ruleset, tables: dict[str, Table], read: Header, came: Arrival, *, kept: bool) -> Said:
    """The same from each condition's own predicate, on the header as the rules ahead have left it."""
    draft, changes, routes = Draft(read), list[Change](), dict[str, str]()

    def is_for(rule: Rule) -> bool:
        return not rule.disabled and (rule.when is None or rule.when(Facts(draft, came)))

    try:
        for rule in rules.settings.normalise:
            at_work = rule.name
            if is_for(rule):
                if rule.hold:
                    return at_work, [], [], None
                changes += apply(rule, draft, EditContext(came, tables, b""))
        if kept and draft.changed:
            record(draft, read, came.at, "MICROPACS")
        for route in rules.settings.routes:
            at_work = route.name
            if is_for(route):
                routes.setdefault(route.to[0], at_work)
                if route.stop:
                    break
    except RulesError:
        return at_work, [], [], None
    return None, list(routes.values()), changes, draft.splice() if draft.changed else None


@settings(max_examples=300)
@given(rules(), st.booleans(), INSTANCES, st.sampled_from([1, 3, 8192]), st.sampled_from([1, 64]))
def test_what_is_looked_up_is_what_every_condition_says(
    read: RulesSettings, kept: bool, instances: list[tuple[Header, Arrival]], nodes: int, values: int
) -> None:
    """Changes, routes and holds are those of the plain predicates, however little is remembered; explanations agree."""
    rules = Ruleset(read, TABLES, system="MICROPACS", original_attributes=kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_MOST_NODES", nodes)
        patch.setattr(matching, "_MOST_VALUES", values)
        for one, came in [*instances, *instances]:
            decision = rules.decide(one, came)
            assert looked_up(decision) == asked_one_by_one(rules, TABLES, one, came, kept=kept)
            explained = rules.decide(one, came, witness=Witness())
            assert (looked_up(explained), explained.held) == (looked_up(decision), decision.held)


@given(rules(), INSTANCES, st.sampled_from(["n1", "n3", "r0", "otherwise"]))
def test_what_a_person_let_go_is_looked_up_as_it_is_explained(
    read: RulesSettings, instances: list[tuple[Header, Arrival]], held_by: str
) -> None:
    """After a hold that a person has released it from, too."""
    rules = Ruleset(read, TABLES, system="MICROPACS")
    for one, came in instances:
        explained = rules.decide(one, came, {}, Witness(), held_by)
        assert looked_up(rules.decide(one, came, {}, None, held_by)) == looked_up(explained)


def test_what_no_condition_comes_to_is_not_read() -> None:
    """An item that is cut short holds the instance only where a rule looks into it, and by the name of that rule."""
    asked = ruleset(
        f"""
        routes:
          - {{name: first, when: {{Modality: PT}}, to: [a]}}
          - {{name: second, when: {{Modality: CT, '{STEP}': s1}}, to: [b]}}
        """
    )
    cut = struct.pack("<HH2s2xLHHL", 0x0040, 0x0275, b"SQ", 18, 0xFFFE, 0xE000, 10) + CUT_ITEM
    for modality, held_by in (("PT", None), ("CT", "second"), ("MR", None), ("CT", "second")):
        read = Header.scan(encoded(data_set(Modality=modality)) + cut, EXPLICIT_LITTLE_ENDIAN)
        decision = asked.decide(read, arrival())
        assert (decision.held and decision.held.rule) == held_by


def test_routes_see_the_record_of_old_values() -> None:
    """Though a rule of normalise has asked for it before it was written."""
    asked = ruleset(
        """
        normalise:
          - {name: one, edit: [{set: {PatientID: new}}]}
          - {name: two, when: {OriginalAttributesSequence: {present: true}}, hold: was here before}
        routes:
          - {name: recorded, when: {OriginalAttributesSequence: {present: true}}, to: [a]}
        """,
        original_attributes=True,
    )
    for read in (header(PatientID="old"), header(PatientID="older"), header(PatientID="new")):
        sent = [dispatch.route for dispatch in asked.decide(read, arrival()).dispatches]
        assert sent == ([] if read.values(Attribute.parse("PatientID")) == ("new",) else ["recorded"])


def counted(name: str, test: Callable[[Reading], bool]) -> tuple[Clause, list[None]]:
    """A condition on an attribute, and a list that grows each time it is asked."""
    calls: list[None] = []

    def holds(reading: Reading) -> bool:
        calls.append(None)
        return test(reading)

    return Clause("counted", holds, Subject.named(name)), calls


def walk(rules: Matching, **attributes: object) -> Node:
    """Where an instance with these attributes comes to."""
    reading, node = Reading(Facts(header(**attributes), arrival())), rules.start()
    while node.question is not None:
        node = rules.after(node, node.question.answer(reading))
    return node


def test_the_same_values_are_asked_about_once() -> None:
    """A series that has a value in common asks its conditions once, however many instances it has."""
    condition, calls = counted("PatientID", lambda _: True)
    rules = Matching([RouteRule.model_construct(name="one", when=condition, to=("a",))])
    ends = {id(walk(rules, PatientID="1")) for _ in range(20)}
    assert (len(calls), len(ends)) == (1, 1)
    walk(rules, PatientID="2")
    assert len(calls) == 2


def test_few_values_are_remembered_and_no_long_ones() -> None:
    """A patient's values are gone when as many others have come as a question remembers."""
    condition, _ = counted("PatientComments", lambda _: False)
    rules = Matching([RouteRule.model_construct(name="one", when=condition, to=("a",))])
    question = rules.start().question
    assert question is not None
    kept = question._answers
    for number in range(200):
        walk(rules, PatientComments=f"comment {number}")
        assert len(kept) <= 64
    assert ("comment 0",) not in kept
    assert ("comment 199",) in kept
    walk(rules, PatientComments="long" * 300)
    assert not any(values and len(values[0]) > 1024 for values in kept)


def test_the_tree_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that are never the same twice make it start anew."""
    monkeypatch.setattr(matching, "_MOST_NODES", 50)
    texts = [f"*{number}*" for number in range(10)]
    listed = ", ".join(f"{{name: r{text[1]}, when: {{PatientID: '{text}'}}, to: [a]}}" for text in texts)
    rules = Matching(ruleset(f"routes: [{listed}]").settings.rules)
    for number in range(300):
        walk(rules, PatientID=str(number * 7919))
        assert nodes_of(rules) <= 50


def nodes_of(rules: Matching) -> int:
    """How many nodes can be come to."""
    waiting, count = [*rules._starts.values()], 0
    while waiting:
        waiting += waiting.pop().branches.values()
        count += 1
    return count


def test_moments_and_days_are_kept_apart() -> None:
    """A window begins on its second and ends before it, and each day is its own, also just after another instance."""
    asked = ruleset(
        """
        routes:
          - {name: night, when: {time: "18:00:30-07:00:10"}, to: [a]}
          - {name: weekend, when: {weekday: [sat, sun]}, to: [b]}
        """
    )
    for day, clock, sent in (
        (6, (18, 0, 29, 999_999), []),
        (6, (18, 0, 30, 0), ["night"]),
        (7, (18, 0, 30, 0), ["night", "weekend"]),
        (8, (7, 0, 9, 999_999), ["night", "weekend"]),
        (8, (7, 0, 10, 0), ["weekend"]),
        (9, (7, 0, 10, 0), []),
    ):
        came = arrival(at=datetime(2026, 3, day, *clock, tzinfo=UTC))
        assert [dispatch.route for dispatch in asked.decide(header(), came).dispatches] == sent


def test_an_unknown_fact_is_asked_about_as_any_other() -> None:
    """An arrival of an unknown source, and one of a known, are kept apart."""
    asked = ruleset("routes: [{name: one, when: {source: {present: false}}, to: [a]}]")
    known = arrival()
    for came in (known, replace(known, source=None), known):
        assert bool(asked.decide(header(), came).dispatches) is (came.source is None)
