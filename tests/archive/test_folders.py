"""Folders: on the disk once they are made, not made anew where a disk is gone, and not all remembered."""

from pathlib import Path

import pytest

from archive.folders import Folders


def test_folders_are_remembered_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes folders without end does not remember all of them; each is there all the same."""
    monkeypatch.setattr("archive.folders.FOLDERS_REMEMBERED", 5)
    folders = Folders(tmp_path)
    for number in range(23):
        folders.ensure(tmp_path / f"{number}")
        assert len(folders._known) <= 5
    assert len(list(tmp_path.iterdir())) == 23


def test_a_folder_made_by_a_dead_process_is_synchronised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is there already is synchronised in its parents all the same, once; a vanished one is made anew.

    Not so when the first one has vanished: then the root is another one, such as a folder with nothing mounted on it.
    """
    (tmp_path / "a" / "b").mkdir(parents=True)
    folders = Folders(tmp_path)
    folders.ensure(tmp_path / "first")
    synced: list[Path] = []
    monkeypatch.setattr("archive.folders.sync_folder", synced.append)
    folders.ensure(tmp_path / "a" / "b")
    folders.ensure(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]
    folders.ensure(tmp_path / "a" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a"]  # what is above it was seen to before
    (tmp_path / "a" / "b").rmdir()
    folders.ensure(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    for name in ("a/b", "a/c", "a"):
        (tmp_path / name).rmdir()
    synced.clear()
    folders.ensure(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]
    for name in ("first", "a/b"):
        (tmp_path / name).rmdir()
    with pytest.raises(OSError, match="is gone"):
        folders.ensure(tmp_path / "a" / "b")
    assert not (tmp_path / "a" / "b").exists()
