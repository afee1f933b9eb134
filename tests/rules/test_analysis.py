"""What is said of the rules before any instance comes."""

from rules import Finding, Sender, analyse
from tests.support.rules import settings


def test_unreachable_rules() -> None:
    """Below a route that stops every instance nothing is reached, and each such rule is warned of."""
    found = analyse(
        settings(
            """
            routes:
              - {name: a, to: [x], stop: true, disabled: true}
              - {name: b, to: [x], stop: true, when: {Modality: PT}}
              - {name: c, to: [x], stop: true}
              - {name: d, to: [x]}
              - {name: e, to: [x], disabled: true}
            """
        )
    )
    assert found == [Finding(("routes", 3), "the rule 'd' is never reached: 'c' above it stops every instance", False)]


def test_names() -> None:
    """Two rules of one name are an error, also across sections, and so is a name that stands for something else."""
    found = analyse(
        settings(
            """
            normalise:
              - {name: a, edit: [{blank: StudyID}]}
              - {name: by hand, edit: [{blank: StudyID}]}
            routes:
              - {name: a, to: [x]}
            """
        )
    )
    assert [(each.loc, each.is_error) for each in found] == [
        (("normalise", 1, "name"), True),
        (("routes", 0, "name"), True),
    ]


def test_nothing_to_say() -> None:
    """Of sound rules nothing is said."""
    assert analyse(settings("routes: [{name: a, to: [x]}, {name: b, to: [y], stop: true}]")) == []


def test_a_rule_below_one_that_stops_what_it_is_for() -> None:
    """A condition that implies that of a `stop` above is never reached, also where several stop it only together."""
    found = analyse(
        settings(
            """
            routes:
              - {name: a, to: [x], stop: true, when: {Modality: [CT, PT]}}
              - {name: b, to: [x], stop: true, when: {StudyID: {present: true}}}
              - {name: c, to: [y], when: {Modality: ct, PatientID: "1"}}
              - {name: d, to: [y], when: {Modality: [PT, NM], StudyID: {starts: A}}}
              - {name: e, to: [y], when: {any: [{Modality: PT}, {StudyID: A*}]}}
              - {name: f, to: [y], when: {Modality: [PT, NM]}}
            """
        )
    )
    assert [(each.loc, each.message) for each in found] == [
        (("routes", 2), "the rule 'c' is never reached: 'a' above it stops every instance it is for"),
        (("routes", 3), "the rule 'd' is never reached: 'b' above it stops every instance it is for"),
        (("routes", 4), "the rule 'e' is never reached: 'a' and 'b' above it together stop every instance it is for"),
    ]


def test_a_condition_that_contradicts_itself() -> None:
    """A rule that can never match is told with what excludes each other; who may send is part of it."""
    rules = settings(
        """
        normalise:
          - {name: a, when: {all: [{Modality: CT}, {Modality: PT}]}, edit: [{blank: StudyID}]}
          - {name: b, when: {source: s, calling_ae: OTHER}, edit: [{blank: StudyID}]}
          - {name: c, when: {source: s, calling_ae: CT}, edit: [{blank: StudyID}]}
          - {name: d, disabled: true, when: {all: [{Modality: CT}, {Modality: PT}]}, edit: [{blank: StudyID}]}
        """
    )
    never = "the rule 'a' can never match: Modality: CT and Modality: PT exclude each other"
    assert [each.message for each in analyse(rules)] == [never]
    assert [(each.loc, each.message) for each in analyse(rules, [Sender("s", "CT")])] == [
        (("normalise", 0, "when"), never),
        (
            ("normalise", 1, "when"),
            "the rule 'b' can never match: no source sends with source: s and calling_ae: OTHER",
        ),
    ]


def test_an_otherwise_that_nothing_is_left_for() -> None:
    """A written `otherwise` is told where one route, or all together, take everything."""
    all_of_it = "routes: [{name: a, to: [x]}]\n"
    halves = "{name: a, to: [x], when: {StudyID: {present: yes}}}, {name: b, to: [x], when: {StudyID: {present: no}}}"
    assert analyse(settings(all_of_it)) == []
    assert analyse(settings(all_of_it + "otherwise: archive")) == []
    assert analyse(settings(all_of_it.replace("to:", "disabled: yes, to:") + "otherwise: hold")) == []
    assert analyse(settings(all_of_it + "otherwise: hold")) == [
        Finding(("otherwise",), "otherwise is never reached: the route 'a' takes every instance")
    ]
    assert analyse(settings(f"routes: [{halves}]\notherwise: [y]")) == [
        Finding(("otherwise",), "otherwise is never reached: the routes 'a' and 'b' together take every instance")
    ]
