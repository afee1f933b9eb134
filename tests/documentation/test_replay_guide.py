"""The guide to replay tells the truth: its example does what is shown."""

from pathlib import Path

from typer.testing import CliRunner

from router.cli.application import application
from tests.support.guide import REPOSITORY, Block, blocks
from tests.support.past import PastSite

GUIDE = blocks(REPOSITORY / "docs" / "guide" / "replay.md")


def marked(mark: str) -> Block:
    """The block with this mark."""
    return next(block for block in GUIDE if block.mark == mark)


def test_the_example_is_what_the_command_says(tmp_path: Path) -> None:
    """Line by line, but for the paths and revisions of the two files."""
    site = PastSite(tmp_path, marked("file: micropacs.yaml").text)
    for study, description in ((1, "FDG TRIAL 7"), (2, "FDG TRIAL 7"), (3, "WHOLE BODY")):
        for number in (1, 2):
            site.arrive(study, number, Modality="PT", StudyDescription=description)
    site.arrive(4, Modality="SR", more=b"")
    site.file_all()
    site.close()
    new = site.new(marked("file: new.yaml").text)
    done = CliRunner().invoke(application, ["-c", str(site.file), "replay", str(new)])
    assert done.exit_code == 1
    assert lines(done.stdout) == lines(marked("output").text)


def lines(text: str) -> list[str]:
    """The lines without what depends on where it was run."""
    return [line.rstrip() for line in text.splitlines() if not line.startswith(("in force: ", "new: "))]
