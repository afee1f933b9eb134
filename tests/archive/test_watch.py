"""Files that are away are noticed at once, and the system is asked about the others only once something stirred."""

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive import watch
from archive.files import create, reopen
from archive.rawfile import RawFile
from archive.watch import Watch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows neither removes nor unmounts an open file")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells what stirred")
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder some way down."""
    found = tmp_path / "disk" / "spool" / "0"
    found.mkdir(parents=True)
    return found


@pytest.fixture(params=[True, False], ids=["watched", "asked each time"])
def either(folder: Path, request: pytest.FixtureRequest) -> Iterator[Watch]:
    """Over the folder, or over nothing: both tell the same."""
    found = Watch([folder] if request.param else [])
    yield found
    found.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RawFile]:
    """The files that the system was asked about since the test began."""
    files: list[RawFile] = []
    ask = watch.is_in_place

    def note_and_ask(file: RawFile) -> bool:
        files.append(file)
        return ask(file)

    monkeypatch.setattr(watch, "is_in_place", note_and_ask)
    return files


def _delete(path: Path) -> None:
    path.unlink()


def _replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    copy.replace(path)


def _replace_from_elsewhere(path: Path) -> None:
    copy = path.parents[2] / "copy"
    shutil.copyfile(path, copy)
    copy.replace(path)


def _move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def _move_folder_above(path: Path) -> None:
    path.parents[2].rename(path.parents[2].with_name("elsewhere"))


def _move_folder_and_copy_it_back(path: Path) -> None:
    _move_folder(path)
    shutil.copytree(path.parent.with_name("elsewhere"), path.parent)


def _remove_all(path: Path) -> None:
    shutil.rmtree(path.parents[2])


_OF_A_FILE = [_delete, _replace, _replace_from_elsewhere]
_OF_A_FOLDER = [_move_folder, _move_folder_above, _move_folder_and_copy_it_back, _remove_all]


@pytest.mark.parametrize("seen", [True, False], ids=["seen before", "never seen"])
@pytest.mark.parametrize("away", _OF_A_FILE + _OF_A_FOLDER)
def test_file_that_is_away(folder: Path, either: Watch, away: Callable[[Path], None], *, seen: bool) -> None:
    """Deleted, replaced, moved with a folder above it, also where a copy of it is there instead."""
    with create(folder / "x.segment") as file, create(folder / "y.segment") as other:
        assert not seen or either.is_in_place(file)
        away(folder / "x.segment")
        assert either.is_in_place(other) is (away in _OF_A_FILE)
        assert not either.is_in_place(file)
        assert not either.is_in_place(file)


def test_file_through_links(tmp_path: Path, folder: Path) -> None:
    """A folder may be reached by links to links, and by a relative name; each of them may go away."""
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "second").symlink_to("../disk")
    (tmp_path / "first").symlink_to(tmp_path / "links" / "second")
    through = tmp_path / "first" / "spool" / folder.name
    for name in (through, Path(os.path.relpath(through))):
        watching = Watch([name])
        with create(name / "x.segment") as file:
            assert watching.is_in_place(file)
            assert watching.is_in_place(file)
            (tmp_path / "links" / "second").rename(tmp_path / "links" / "away")
            assert not watching.is_in_place(file)
            (tmp_path / "links" / "away").rename(tmp_path / "links" / "second")
            assert watching.is_in_place(file)
            (tmp_path / "first").unlink()
            (tmp_path / "first").symlink_to(tmp_path)
            assert not watching.is_in_place(file)
        (tmp_path / "first").unlink()
        (tmp_path / "first").symlink_to(tmp_path / "links" / "second")
        (folder / "x.segment").unlink()
        watching.close()


def test_links_in_a_circle(tmp_path: Path, folder: Path) -> None:
    """They lead nowhere, and are no end of looking."""
    (tmp_path / "link").symlink_to(folder)
    watching = Watch([tmp_path / "link"])
    with create(tmp_path / "link" / "x.segment") as file:
        assert watching.is_in_place(file)
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to(tmp_path / "link")
        with pytest.raises(OSError, match="symbolic links"):
            watching.is_in_place(file)
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to(folder)
        assert watching.is_in_place(file)
        (folder / "x.segment").unlink()
        assert not watching.is_in_place(file)
    watching.close()


@as_root
@pytest.mark.parametrize("above", [0, 2], ids=["over its folder", "over one above"])
def test_file_under_another_disk(folder: Path, either: Watch, above: int) -> None:
    """Another disk is mounted over it."""
    point = [folder, *folder.parents][above]
    with create(folder / "x.segment") as file:
        assert either.is_in_place(file)
        subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
        try:
            assert not either.is_in_place(file)
        finally:
            subprocess.run(["umount", point], check=True)
        assert either.is_in_place(file)


@on_linux
def test_nothing_is_asked_while_nothing_stirs(folder: Path, asked: list[RawFile]) -> None:
    """Once a file; once more when a name went away that is another's. Files that are made and written stir nothing."""
    watching = Watch([folder])
    with create(folder / "x.segment") as file, create(folder / "y.segment") as other:
        for _ in range(3):
            assert watching.is_in_place(file)
            assert watching.is_in_place(other)
            create(folder / f"{len(list(folder.iterdir()))}.segment").close()
            os.write(file.fileno(), b"x")
        assert asked == [file, other]
        (folder / "y.segment").unlink()
        assert watching.is_in_place(file)
        assert not watching.is_in_place(other)
        assert watching.is_in_place(file)
        assert asked == [file, other, file, other]
    watching.close()


@on_linux
def test_folder_in_place_of_one_that_was_moved(folder: Path, asked: list[RawFile]) -> None:
    """What is made in it is watched like what was there before."""
    watching = Watch([folder])
    with create(folder / "x.segment") as file:
        assert watching.is_in_place(file)
    _move_folder_above(folder / "x.segment")
    folder.mkdir(parents=True)
    with create(folder / "x.segment") as file:
        assert watching.is_in_place(file)
        asked.clear()
        assert watching.is_in_place(file)
        assert not asked
        (folder / "x.segment").unlink()
        assert not watching.is_in_place(file)
    watching.close()


@on_linux
def test_several_folders(folder: Path) -> None:
    """As of processes that died: what goes away in any of them is noticed."""
    other = folder.with_name("1")
    other.mkdir()
    watching = Watch([folder, other])
    with create(folder / "x.segment") as one, create(other / "x.segment") as two:
        assert watching.is_in_place(one)
        assert watching.is_in_place(two)
        (other / "x.segment").unlink()
        assert watching.is_in_place(one)
        assert not watching.is_in_place(two)
    watching.close()


@on_linux
def test_a_disk_that_others_change(folder: Path, asked: list[RawFile], monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a network nobody tells what stirred: each question is asked."""
    monkeypatch.setattr(watch, "_OWN_DISKS", frozenset({"nfs4"}))
    watching = Watch([folder])
    with create(folder / "x.segment") as file:
        assert watching.is_in_place(file)
        assert watching.is_in_place(file)
        assert asked == [file, file]
    watching.close()


@on_linux
@as_root
def test_a_disk_that_others_change_is_mounted_later(folder: Path, asked: list[RawFile]) -> None:
    """What is made on it, here a ramfs, is asked about each time, though the folder was watched before."""
    watching = Watch([folder])
    with create(folder / "x.segment") as file:
        assert watching.is_in_place(file)
        assert watching.is_in_place(file)
        assert asked == [file]
    subprocess.run(["mount", "-t", "ramfs", "none", folder], check=True)
    try:
        with create(folder / "y.segment") as file:
            asked.clear()
            assert watching.is_in_place(file)
            assert watching.is_in_place(file)
            assert asked == [file, file]
    finally:
        subprocess.run(["umount", folder], check=True)
    watching.close()


@on_linux
@pytest.mark.parametrize("refused", ["init1", "add_watch"])
def test_no_more_watches_to_be_had(
    folder: Path, asked: list[RawFile], monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """A user has 128 (Linux): who gets none of them asks each time, and what was begun is given back."""
    calls = watch._inotify

    def refuse(name: str, *arguments: int | bytes) -> int:
        if name == refused:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return calls(name, *arguments)

    monkeypatch.setattr(watch, "_inotify", refuse)
    before = len(list(Path("/dev/fd").iterdir()))
    watching = Watch([folder])
    assert len(list(Path("/dev/fd").iterdir())) == before
    with create(folder / "x.segment") as file:
        assert watching.is_in_place(file)
        assert watching.is_in_place(file)
        assert asked == [file, file]


@on_linux
def test_everything_is_given_back(folder: Path) -> None:
    """When it is closed, as often as it is, and when it is forgotten."""
    before = len(list(Path("/dev/fd").iterdir()))
    watching = Watch([folder])
    assert len(list(Path("/dev/fd").iterdir())) == before + 3
    watching.close()
    watching.close()
    assert len(list(Path("/dev/fd").iterdir())) == before
    watching = Watch([folder])
    del watching
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_after_closing_it_still_tells_the_truth(folder: Path, either: Watch) -> None:
    """An instance may be on its way while the spool is closed."""
    with reopen_new(folder / "x.segment") as file:
        assert either.is_in_place(file)
        either.close()
        assert either.is_in_place(file)
        (folder / "x.segment").unlink()
        assert not either.is_in_place(file)


@on_linux
def test_several_threads(folder: Path) -> None:
    """They ask at the same time, while much stirs; nobody is told of a file that went away that it is there."""
    watching = Watch([folder])
    wrong: list[str] = []

    def receive(number: int) -> None:
        for turn in range(100):
            path = folder / f"{number}-{turn}.segment"
            with create(path) as file:
                if not watching.is_in_place(file) or not watching.is_in_place(file):
                    wrong.append(f"{path.name} is away")
                path.unlink()
                if watching.is_in_place(file):
                    wrong.append(f"{path.name} is there")

    threads = [threading.Thread(target=receive, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
    watching.close()


def reopen_new(path: Path) -> RawFile:
    """A file that was made before, opened again, as a segment is."""
    create(path).close()
    return reopen(path)
