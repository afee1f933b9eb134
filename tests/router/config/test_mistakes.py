"""Every mistake a site can make is told with its place, all at once, and without a secret."""

import os
from pathlib import Path

import pytest

from router.config import ConfigurationError, load

MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))
ENVIRONMENT = {"SITE_SECRET": "hunter2-and-more", "EMPTY": ""}
SECRETS = ("hunter2-and-more", "correct-horse-battery")


def expected(path: Path) -> list[str]:
    """The problems that a file's first comment lines name."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]


def problems(path: Path) -> list[str]:
    """What loading a file tells, without the path of the main file."""
    with pytest.raises(ConfigurationError) as caught:
        load(path, ENVIRONMENT)
    told = [str(problem) for problem in caught.value.problems]
    for secret in SECRETS:
        assert secret not in "\n".join([*told, str(caught.value), repr(caught.value)])
    shown = (line.removeprefix(f"{path}:").replace(f"{path.parent}{os.sep}", "") for line in told)
    return [line.replace(f"parts{os.sep}", "parts/") for line in shown]


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_told_where_it_stands(path: Path) -> None:
    """The file is refused with exactly the problems it expects, and no secret value is in any of them."""
    assert problems(path) == expected(path)


def test_no_mistake_is_without_an_expectation() -> None:
    """Every file of mistakes names at least one problem."""
    assert all(expected(path) for path in MISTAKES)
    assert len(MISTAKES) >= 35
