"""References to secrets: resolved from outside of the file, shown nowhere."""

from pathlib import Path

import pytest

from router.config import Secret, load
from router.config.secrets import resolve
from rules import Problem, compose, run_tests

ENVIRONMENT = {"NAME": "hunter2", "OTHER": "swordfish", "EMPTY": ""}


def resolved(text: str, folder: Path = Path()) -> object:
    """The plain data after references are replaced; every reference must have a value."""
    document, problems = resolve(compose(text, "site.yaml"), folder, ENVIRONMENT)
    assert problems == []
    return document.plain()


def refused(text: str, folder: Path = Path()) -> list[str]:
    """Why references cannot be replaced."""
    _, problems = resolve(compose(text, "site.yaml"), folder, ENVIRONMENT)
    return [str(problem) for problem in problems]


def test_a_variable_stands_alone_or_inside_a_text() -> None:
    """`${NAME}` is replaced wherever it stands in a value, more than once too."""
    assert resolved("a: ${NAME}\nb: ['x${NAME}y${OTHER}z']") == {"a": "hunter2", "b": ["xhunter2yswordfishz"]}


def test_a_value_is_not_read_again() -> None:
    """What a variable holds is taken as it is, references in it included."""
    document, _ = resolve(compose("a: ${X}", "site.yaml"), Path(), {"X": "${Y}"})
    assert document.plain() == {"a": "${Y}"}


def test_a_doubled_dollar_is_a_plain_one() -> None:
    """`$${NAME}` is the text `${NAME}`, and a dollar without a brace is itself."""
    assert resolved("a: $${NAME}\nb: ^x$\nc: $NAME") == {"a": "${NAME}", "b": "^x$", "c": "$NAME"}


def test_keys_are_never_replaced() -> None:
    """A reference in a key stays as it was written."""
    assert resolved("${NAME}: x") == {"${NAME}": "x"}


def test_a_file_is_read_from_the_folder_without_its_line_end(tmp_path: Path) -> None:
    """`${file:…}` is relative to the configuration; the line end that editors add is no part of the secret."""
    (tmp_path / "token").write_text(" s3cret \r\n", encoding="utf-8")
    assert resolved("a: ${file:token}", tmp_path) == {"a": " s3cret "}
    assert resolved(f"a: '${{file:{tmp_path / 'token'}}}'") == {"a": " s3cret "}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: ${MISSING}", "1:4: ${MISSING} is unresolved: there is no environment variable MISSING"),
        ("a: ${EMPTY}", "1:4: ${EMPTY} is empty"),
        ("a: ${file:nowhere}", "1:4: ${file:nowhere} is unresolved: No such file or directory"),
        ("a: '${}'", "1:4: ${} is no reference; write ${NAME} or ${file:/path}"),
        ("a: '${NAME'", "1:4: '${' begins a reference that no '}' ends; '$${' is a plain '${'"),
    ],
)
def test_a_reference_without_a_value_is_a_problem(text: str, message: str, tmp_path: Path) -> None:
    """What cannot be resolved is told at its place."""
    assert refused(text, tmp_path) == [f"site.yaml:{message}"]


def test_a_binary_or_endless_secret_file_is_a_problem(tmp_path: Path) -> None:
    """A file that is no text, or far too long, is no secret; nothing of it is shown."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "long").write_bytes(b"x" * 64_001)
    assert refused("a: ${file:binary}", tmp_path) == ["site.yaml:1:4: ${file:binary} is not text in UTF-8"]
    assert refused("a: ${file:long}", tmp_path) == ["site.yaml:1:4: ${file:long} is longer than 64,000 bytes"]


def test_a_secret_shows_itself_nowhere() -> None:
    """Neither its text, its representation nor a format shows a secret; only `reveal` does."""
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {vars(type(secret))}"
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2") != Secret("other")


def concealed(value: str, message: str, column: int) -> str:
    """A message about line 1 of a file in which `${X}` with this value stands at column 4."""
    document, _ = resolve(compose("a: ${X}", "site.yaml"), Path(), {"X": value})
    return document.concealed_in(Problem("site.yaml", 1, column, message)).message


def test_messages_are_cleared_of_values() -> None:
    """A secret in a message, plain or as Python shows it, is replaced by its reference wherever the problem stands."""
    assert concealed("it's\\two", "it's\\two", 1) == "${X}"
    assert concealed("it's\\two", repr("it's\\two"), 1) == '"${X}"'


def test_a_short_secret_does_not_garble_messages() -> None:
    """A secret of a few characters is replaced where its reference stands and where it is quoted, not inside words."""
    assert concealed("a", "a port, not 'a' or 'bab'", 1) == "a port, not '${X}' or 'bab'"
    assert concealed("4a2", "'port/4a2' is no port", 4) == "'port/${X}' is no port"


def test_a_failing_test_shows_no_secret(tmp_path: Path) -> None:
    """What a test of the file tells of a value that came from a secret names the reference, not the value."""
    file = tmp_path / "site.yaml"
    file.write_text(
        'normalise: [{name: n, edit: [{set: {StudyID: "${NAME}"}}]}]\n'
        "tests: [{name: t, given: {Modality: PT}, expect: {StudyID: other}}]",
        encoding="utf-8",
    )
    (result,) = run_tests(load(file, ENVIRONMENT).ruleset)
    assert result.failures == ["StudyID: expected 'other', but it is '${NAME}'"]
