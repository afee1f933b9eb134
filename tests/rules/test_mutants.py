"""No operator of the conditions can be changed without a test that fails. MICROPACS_MUTANTS has them all tried."""

import os

import pytest

from tests.support.mutants import REPOSITORY, Mutant, mutants_of, survivors

FILES = ("rules/conditions.py", "rules/demands.py", "rules/refusals.py", "rules/operators.py")
TESTS = ("tests/rules/test_conditions.py", "tests/rules/test_golden.py", "tests/rules/test_schema.py")
# Mutants that no test can tell from the original, each with the reason.
EQUIVALENT = {
    "operators.py: len(text) < least -> len(text) <= least": "what stands between two asterisks needs a character more",
}

MUTANTS = [mutant for file in FILES for mutant in mutants_of(file)]


def test_there_are_mutants() -> None:
    """Every file has mutants, each differs from its file, and each of those called equivalent is one of them."""
    assert {mutant.file for mutant in MUTANTS} == set(FILES)
    assert len({mutant.source for mutant in MUTANTS}) == len(MUTANTS)
    assert EQUIVALENT.keys() - {mutant.name for mutant in MUTANTS} == set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="mutants are tried in forks")
def test_a_file_as_it_is_passes_and_a_broken_one_does_not() -> None:
    """The tests pass with the file as it is and fail with a broken one, so that what fails is the mutant."""
    file = FILES[0]
    source = (REPOSITORY / file).read_text(encoding="utf-8")
    sound, broken = (
        Mutant(file, 0, "", "", source),
        Mutant(file, 0, "", "", source.replace("return negated(", "return (")),
    )
    assert survivors([sound, broken], TESTS[:1]) == [sound]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif("MICROPACS_MUTANTS" not in os.environ, reason="takes minutes: set MICROPACS_MUTANTS to run it")
def test_no_mutant_survives() -> None:
    """Each mutant makes one of the rules' tests fail."""
    found = survivors([mutant for mutant in MUTANTS if mutant.name not in EQUIVALENT], TESTS)
    assert [f"{mutant.file}:{mutant.line} {mutant.before} -> {mutant.after}" for mutant in found] == []
