"""Conditions that can never hold together: what is called impossible never happens, and what is plain is found."""

import json
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rules import Facts, Sender, possible
from rules.clause import Clause
from rules.conditions import compile_condition
from tests.support.rules import MONDAY_NOON, arrival, header

# Letters whose case is not what it seems are among them: the long s and the Kelvin sign.
TEXTS = st.sampled_from(
    ["", "ct", "CT", "PT", "kes", "KES", "\u212aE\u017f", "kesk", "k", "012", "12", "1.5", "abcabc"]
)
PATTERNS = st.sampled_from(["*", "k*", "*s", "k*k", "*e*", "?", "ke?", "*E*S*", "k?s*", "CT", "kes*kes"])
REGEXES = st.sampled_from([r"\d+", "k.*", "(?-i)KES", "[a-z]{3}", r"\w+\b", "ct|pt", r"\p{Lu}+", "", "[^s]*"])
NUMBERS = st.sampled_from(["0", "1", "1.5", "12", "1e50", "1.00000000000000000000000000000000001"])
NAMES = ("StudyDescription", "OtherPatientIDs", "PatientName", "SliceThickness", "source", "calling_ae")
SENDERS = [Sender("kes", "CT"), Sender("pt", "kes", "10.1.1.11"), Sender(None)]


@st.composite
def asked(draw: st.DrawFn, name: str) -> object:
    """What may stand behind a name in a condition."""
    kind = draw(st.integers(0, 7 if name == "SliceThickness" else 5))
    texts = st.one_of(TEXTS, PATTERNS)
    if kind == 0:
        return draw(texts)
    if kind == 1:
        return draw(st.lists(texts, min_size=1, max_size=3))
    if kind == 2:
        return {"present": draw(st.sampled_from(["true", "false"]))}
    if kind == 3:
        return {"not": draw(texts)}
    if kind == 4:
        return {"matches": draw(REGEXES)}
    if kind == 5:
        return {draw(st.sampled_from(["contains", "starts", "ends", "exactly"])): draw(TEXTS.filter(bool))}
    if kind == 6:
        return {draw(st.sampled_from(["above", "below"])): draw(NUMBERS)}
    return {"between": sorted([draw(NUMBERS), draw(NUMBERS)], key=float)}


ENTRIES = st.sampled_from(NAMES).flatmap(lambda name: asked(name).map(lambda test: {name: test}))
CONDITIONS = st.recursive(
    ENTRIES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)
ONE = st.one_of(TEXTS, NUMBERS)


@st.composite
def instances(draw: st.DrawFn) -> Facts:
    """A header whose attributes hold as many values as they may, from one of the senders."""
    attributes: dict[str, object] = {}
    if draw(st.booleans()):
        attributes["StudyDescription"] = draw(ONE)
    if draw(st.booleans()):
        attributes["SliceThickness"] = draw(st.one_of(NUMBERS, st.just("")))
    if draw(st.booleans()):
        attributes["OtherPatientIDs"] = draw(st.lists(ONE, min_size=1, max_size=3))
    if draw(st.booleans()):
        attributes["PatientName"] = draw(st.sampled_from(["kes", "KES^CT", "kes=ct", "=k=ct", "CT^^", ""]))
    sender = draw(st.sampled_from(SENDERS))
    calling_ae = sender.calling_ae or draw(st.sampled_from(["kes", "OTHER"]))
    return Facts(header(**attributes), arrival(sender.source, calling_ae, host=sender.host or "10.9.9.9"))


def compiled(condition: object) -> Clause | None:
    """The condition, None where the language refuses it."""
    try:
        return compile_condition(condition)
    except ValidationError:
        return None


@settings(max_examples=500, deadline=None)
@given(CONDITIONS, CONDITIONS, instances())
def test_what_happens_is_never_called_impossible(one: object, other: object, facts: Facts) -> None:
    """Whatever comes of two conditions for an instance is called possible, by its sender and by anybody."""
    clauses = [clause for clause in map(compiled, (one, other)) if clause is not None]
    wanted = [(clause, clause(facts)) for clause in clauses]
    assert possible(wanted, SENDERS), json.dumps([one, other])
    assert possible(wanted)


VALUES = ["ct", "CT", "kes", "\u212aE\u017f", "kesk", "k", "12", "1.5", ""]
PLAIN = [
    *VALUES,
    *({"starts": each} for each in ("k", "ke", "1")),
    *({"ends": each} for each in ("k", "s")),
    *({"contains": each} for each in ("e", "es")),
    *({"exactly": each} for each in ("ct", "CT")),
    *({"matches": each} for each in (r"\d+", "k.*", "(?-i)CT")),
    *["k*", "*k", "k*k", "*e*", "?e*"],
]


@pytest.mark.parametrize("wanted", [(True, True), (True, False), (False, False)])
def test_every_pair_of_operators_is_right_about_every_value(wanted: tuple[bool, bool]) -> None:
    """Of two tests of one attribute that some value satisfies together, none is called impossible."""
    holds = {
        (repr(test), value): bool(
            compile_condition({"StudyDescription": test})(Facts(header(StudyDescription=value), arrival()))
        )
        for test in PLAIN
        for value in VALUES
    }
    for one, other in product(PLAIN, PLAIN):
        clauses = [compile_condition({"StudyDescription": test}) for test in (one, other)]
        if any((holds[repr(one), value], holds[repr(other), value]) == wanted for value in VALUES):
            assert possible(list(zip(clauses, wanted, strict=True))), (one, other, wanted)


IMPOSSIBLE = [
    {"all": [{"Modality": "CT"}, {"Modality": "PT"}]},
    {"Modality": "CT", "not": {"Modality": ["ct", "PT"]}},
    {"Modality": "CT", "all": [{"Modality": {"present": "false"}}]},
    {"Modality": {"matches": "M.*"}, "all": [{"Modality": ["CT", "PT"]}]},
    {"Modality": {"starts": "C"}, "all": [{"Modality": {"starts": "P"}}]},
    {"Modality": "C*", "not": {"Modality": "*"}},
    {"StudyDescription": "*FDG TRIAL*", "not": {"StudyDescription": {"contains": "fdg"}}},
    {"PatientAge": {"above": "018Y"}, "all": [{"PatientAge": {"below": "010Y"}}]},
    {"SliceThickness": {"between": ["1", "2"]}, "not": {"SliceThickness": {"between": ["0", "3"]}}},
    {"SliceThickness": {"above": "5"}, "all": [{"SliceThickness": "3"}]},
    {"ImageType": "DERIVED", "not": {"ImageType": ["DERIVED", "SECONDARY"]}},
    {"PatientID": {"matches": r"\d{8}"}, "not": {"PatientID": {"matches": r"\d{8}"}}},
    {
        "any": [
            {"Modality": {"present": "no"}, "all": [{"Modality": "CT"}]},
            {"not": {"time": ["00:00-12:00", "12:00-24:00"]}},
        ]
    },
    {"time": "08:00-12:00", "all": [{"time": "12:00-18:00"}]},
    {"weekday": ["sat", "sun"], "all": [{"weekday": "mon"}]},
    {"source": "pt", "calling_ae": "CT"},
    {"source": "pt", "host": "10.2.0.0/16"},
    {"source": "zzz*"},
]
POSSIBLE = [
    {"all": [{"ImageType": "DERIVED"}, {"ImageType": "PRIMARY"}]},
    {"all": [{"PatientName": "A*"}, {"PatientName": "B*"}]},
    {"Modality": "CT", "not": {"Modality": {"exactly": "CT"}}},
    {"SliceThickness": {"below": "1e50"}},
    {"SliceThickness": {"above": "5"}, "all": [{"SliceThickness": {"below": "5.1"}}]},
    {"time": "22:00-06:00", "all": [{"time": "05:00-08:00"}]},
    {"PatientName": "A*", "not": {"PatientName": "A*B*C"}},
    {"StudyID": "ab*ba", "not": {"StudyID": "aba*ba"}},
    {"all": [{"StudyID": {"starts": "ab"}}, {"StudyID": {"ends": "ba"}}, {"not": {"StudyID": "ab*ba"}}]},
    {"source": "kes", "calling_ae": "ct", "host": "10.2.0.0/16"},
    {"not": {"source": ["kes", "pt"]}},
    {
        "RequestAttributesSequence.ScheduledProcedureStepID": "A",
        "not": {"RequestAttributesSequence.ScheduledProcedureStepID": "B"},
    },
    {"all": [{"any": [{"Modality": str(one)}, {"StudyID": str(one)}]} for one in range(12)]},
]


@pytest.mark.parametrize("condition", IMPOSSIBLE, ids=str)
def test_impossible(condition: object) -> None:
    """What no instance of any sender can satisfy is found."""
    assert not possible([(compile_condition(condition), True)], SENDERS)


@pytest.mark.parametrize("condition", POSSIBLE, ids=str)
def test_possible(condition: object) -> None:
    """What some instance may satisfy is left alone, and so is what has too many ways to look at."""
    assert possible([(compile_condition(condition), True)], SENDERS)


def test_the_day_and_the_hour_are_asked_of_the_arrival() -> None:
    """The tests above speak of arrivals as conditions do."""
    clause = compile_condition({"time": "11:00-13:00", "weekday": "mon"})
    assert clause(Facts(header(), arrival(at=MONDAY_NOON)))
