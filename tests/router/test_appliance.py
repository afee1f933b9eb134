"""The composition root: what is left open in the configuration gets a value that fits the machine."""

import shutil
from pathlib import Path

import pytest

from router.appliance import Appliance, free_space
from router.config import load


@pytest.mark.parametrize(
    ("yaml", "total", "expected"),
    [
        ("", 500 * 10**9, 10**9),
        ("", 64 * 10**6, 3_200_000),
        ("archive: {free_space: 20GB}", 64 * 10**6, 20 * 10**9),
    ],
)
def test_free_space_is_as_configured_or_fits_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yaml: str, total: int, expected: int
) -> None:
    """1 GB is kept free on a large disk, a twentieth of a small one, and what the site says on any."""
    (tmp_path / "micropacs.yaml").write_text(f"appliance: {{data: .}}\n{yaml}\n")
    usage = type(shutil.disk_usage(tmp_path))(total, 0, total)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert free_space(load(tmp_path / "micropacs.yaml")) == expected


@pytest.mark.parametrize("spoilt", [b"", b"\xff\xfe", b"../../elsewhere", b"0123"])
def test_a_node_without_a_name_gets_another(tmp_path: Path, spoilt: bytes) -> None:
    """A file `node` that a crash left empty or with something else in it is made anew, and then stays as it is."""
    (tmp_path / "micropacs.yaml").write_text("appliance: {data: .}\n")
    for is_spoilt in (False, True, False):
        if is_spoilt:
            (tmp_path / "node").write_bytes(spoilt)
        appliance = Appliance.open(load(tmp_path / "micropacs.yaml"))
        appliance.spool.close()
        appliance.close()
        name = (tmp_path / "node").read_text()
        assert len(name) == 16
        assert appliance.queue.holder == name
