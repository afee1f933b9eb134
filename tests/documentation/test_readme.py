"""What the documents name is there: the README's configuration, every command with its options, every link."""

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from router.cli.application import COMMANDS, application
from router.config import load
from tests.support.guide import REPOSITORY, blocks

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
HANDED_OUT = [each for each in DOCUMENTS if each.parent.name != "decisions" and each.name != "CONTRIBUTING.md"]
ROOT: Any = typer.main.get_command(application)
OTHER_PROGRAMS = ("docker ", "nssm ", "python3 ", "install ", "useradd ", "netsh ", "systemctl ", "journalctl ")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CALL = re.compile(r"(?:^|\s)(?:\S*[/\\])?micropacs(?:\.exe)? (?=[a-z-])(.*)")


def calls(file: Path) -> Iterator[str]:
    """The arguments of every `micropacs …` in a code span or a block of commands, without what follows the command."""
    shown = [block.text.replace("\\\n", "") for block in blocks(file) if block.language in {"", "sh", "bat"}]
    texts = [line for text in shown for line in text.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    texts += [span for span in _SPAN.findall(prose) if span.startswith("micropacs ")]
    for text in texts:
        if not text.startswith(OTHER_PROGRAMS):
            found = _CALL.search(re.split(r"\s#|\s>|[;|&]", text)[0])
            if found:
                yield found[1].strip()


CALLS = sorted({call for file in HANDED_OUT for call in calls(file)})


def resolved(arguments: list[str]) -> tuple[Any, list[str]]:
    """The command that the arguments name, and the rest of them."""
    command: Any = ROOT
    rest = list(arguments)
    while rest and hasattr(command, "commands"):
        if rest[0] in {"-c", "--config"}:
            rest = rest[2:]
            continue
        found = command.get_command(None, rest[0])
        if found is None:
            break
        command, rest = found, rest[1:]
    return command, rest


def test_the_first_configuration_of_the_readme_loads(tmp_path: Path) -> None:
    """A newcomer's first file is a configuration without a warning."""
    first = next(block for block in blocks(REPOSITORY / "README.md") if block.language == "yaml")
    file = tmp_path / "micropacs.yaml"
    file.write_text(first.text, encoding="utf-8")
    assert load(file, {}).warnings == ()


@pytest.mark.parametrize("call", CALLS)
def test_a_command_that_is_named_exists(call: str) -> None:
    """Each command in the documents is one of the program's, and has the options that are named."""
    command, rest = resolved(shlex.split(call.replace("\\", "/")))
    assert command is not ROOT, f"there is no command {call.split()[0]!r}"
    options = {option for parameter in command.params for option in parameter.opts}
    named = {word.partition("=")[0] for word in rest if word.startswith("-")}
    assert named - options == set()


def test_the_documents_name_commands() -> None:
    """The search for commands finds those that people start with."""
    assert {"check", "serve", "queue", "held", "status"} <= {call.split()[0] for call in CALLS}


def test_every_command_explains_itself() -> None:
    """Each command of the program answers --help, and stands in the README."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(COMMANDS) > 10
    for name in COMMANDS:
        told = CliRunner().invoke(application, [name, "--help"])
        assert told.exit_code == 0
        assert "The configuration ." not in told.stdout
        assert f"micropacs {name}" in readme


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    """Each relative link leads to a file that is there, and each anchor to a heading of it."""
    prose = re.sub(r"^```.*?^```$", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (file.parent / name) if name else file
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place), target


def anchors(file: Path) -> set[str]:
    """The anchors that a forge makes of the headings."""
    prose = re.sub(r"^```.*?^```$", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_service_file_can_be_read() -> None:
    """The unit in the operations guide has the sections of a service, and gives the appliance time to drain."""
    unit = next(block for block in blocks(REPOSITORY / "docs" / "operations.md") if block.language == "ini")
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.text)
    assert parser["Service"]["ExecStart"].endswith("micropacs serve")
    assert int(parser["Service"]["TimeoutStopSec"]) > 25
