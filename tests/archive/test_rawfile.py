"""Files the system is not asked about: whether one is still where it was is known all the same."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from archive.files import create, is_in_place, reopen
from tests.support.tracing import needs_strace, traced

KEEPING = """
import sys
from pathlib import Path
from archive import Archive, Database, Spool
from tests.support.arrivals import filed, sealed
folder = Path(sys.argv[1])
spool = Spool(folder / "spool")
archive = Archive(Database(f"sqlite:///{folder / 'd.db'}"), folder / "archive")
archive.create_tables()
for number in range(12):
    entry = sealed(spool, bytes(1000 + 200_000 * (number % 2)), f"1.{number}")
    filed(archive, [entry], [{}])
    spool.remove([entry.arrival])
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows neither removes nor unmounts an open file")


def _delete(path: Path) -> None:
    path.unlink()


def _replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    copy.replace(path)


def _move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def _move_folder_and_copy_it_back(path: Path) -> None:
    _move_folder(path)
    shutil.copytree(path.parent.with_name("elsewhere"), path.parent)


@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "never seen"])
@pytest.mark.parametrize("away", [_delete, _replace, _move_folder, _move_folder_and_copy_it_back])
def test_file_that_is_away(tmp_path: Path, away: object, *, seen: bool) -> None:
    """Deleted, replaced, moved with its folder, also where a copy of it is there instead."""
    path = tmp_path / "folder" / "x.segment"
    path.parent.mkdir()
    with create(path) as file:
        assert not seen or is_in_place(file)
        assert callable(away)
        away(path)
        assert not is_in_place(file)
        assert not is_in_place(file)


def test_file_through_a_link(tmp_path: Path) -> None:
    """A folder may be reached by a symbolic link, and by a relative name."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    with create(tmp_path / "link" / "x.segment") as file:
        assert is_in_place(file)
        assert is_in_place(file)
    with reopen(os.path.relpath(tmp_path / "link" / "x.segment")) as file:
        assert is_in_place(file)
        assert is_in_place(file)
        (tmp_path / "link").unlink()
        assert not is_in_place(file)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts")
def test_file_under_another_disk(tmp_path: Path) -> None:
    """Another disk is mounted over its folder."""
    path = tmp_path / "folder" / "x.segment"
    path.parent.mkdir()
    with create(path) as file:
        assert is_in_place(file)
        subprocess.run(["mount", "-t", "tmpfs", "none", path.parent], check=True)
        try:
            assert not is_in_place(file)
        finally:
            subprocess.run(["umount", path.parent], check=True)
        assert is_in_place(file)


def test_closing_is_enough_once(tmp_path: Path) -> None:
    """A descriptor that was given back may be another file's by now, and is left alone."""
    file = create(tmp_path / "one")
    descriptor = file.fileno()
    file.close()
    with create(tmp_path / "other") as other:
        assert other.fileno() == descriptor
        file.close()
        del file
        assert os.write(other.fileno(), b"x") == 1


@needs_strace
def test_files_are_not_asked_about_instance_by_instance(tmp_path: Path) -> None:
    """Receiving and filing ask the system for the times of a segment once, and of what is filed never."""
    _, calls = traced(KEEPING, tmp_path, "-e", "trace=%stat,%fstat,statx")
    asked = Counter(kind for call in calls for kind in (".segment", ".register", ".part") if kind in call)
    assert asked == {".segment": 2}, calls  # its descriptor and its path, as the first instance was sealed
