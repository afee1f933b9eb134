"""What a configuration asks to be written that nothing installed can write."""

from pathlib import Path

import pytest

from router.config import ConfigurationError, load
from router.pixels import installed


def configured(folder: Path, transcode: str) -> None:
    """Load a configuration with one route that transcodes."""
    path = folder / "site.yaml"
    route = f"{{name: all, edit: [{{upper: PatientID}}, {{transcode: {transcode}}}], to: [out]}}"
    path.write_text(f"destinations: {{out: {{type: folder, path: ./out}}}}\nroutes: [{route}]")
    load(path, {})


@pytest.mark.parametrize("name", ["rle", "JPEG-LS", "1.2.840.10008.1.2.4.90", "jpeg-lossless"])
def test_without_the_libraries_it_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where, and what to install."""
    monkeypatch.setattr(installed, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError) as refused:
        configured(tmp_path, name)
    (problem,) = refused.value.problems
    assert problem.message == f"what writes transcode: {name} is not installed: pip install 'micropacs[codecs]'"
    assert str(problem).startswith(f"{tmp_path / 'site.yaml'}:2:61:")


@pytest.mark.parametrize("name", ["explicit", "implicit", "deflated", "1.2.840.10008.1.2.1"])
def test_what_needs_no_library_loads_without_any(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not compressed can be written anywhere."""
    monkeypatch.setattr(installed, "find_spec", lambda _: None)
    configured(tmp_path, name)
