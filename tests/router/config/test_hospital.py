"""The example hospital is a configuration like any other, and holds what it promises."""

from pathlib import Path

from router.config import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "hospital.yaml"


def test_the_example_loads_without_a_warning() -> None:
    """The file that comes with the appliance has nothing wrong and nothing odd."""
    assert load(EXAMPLE, {}).warnings == ()


def test_the_examples_own_tests_pass() -> None:
    """Every test that the file carries passes."""
    results = load(EXAMPLE, {}).ruleset.run_tests()
    assert [result.name for result in results if not result.passed] == []
    assert len(results) >= 10
