"""What is said of the rules before any instance comes."""

from rules import Finding, analyse
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
