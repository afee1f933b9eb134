"""Every transfer syntax that DCMTK's storescu can propose, as it proposes it, against DCMTK's own storescp."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.appliance import RunningAppliance
from tests.support.data import data_files, needs_data
from tests.support.dcmtk import needs_dcmtk, storescp, storescu
from tests.support.keeping import assert_kept
from tests.support.part10 import read_part10
from tests.support.phantoms import compressed, encapsulated, phantom

pytestmark = [needs_dcmtk, pytest.mark.peer, pytest.mark.xdist_group("interoperability syntaxes")]

EXPLICIT, DEFLATED, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
IMPLICIT, JPEG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.4"


def _by(*command: str) -> Callable[[Path], Path]:
    return lambda path: compressed(path, *command)


def _as(transfer_syntax_uid: str) -> Callable[[Path], Path]:
    return partial(encapsulated, transfer_syntax_uid=transfer_syntax_uid)


# option of storescu, what makes a fitting instance, the transfer syntax it has to arrive in
OPTIONS = [
    ("x=", lambda path: path, EXPLICIT),
    ("xe", lambda path: path, EXPLICIT),
    ("xb", _by("dcmconv", "+tb"), BIG),
    ("xi", _by("dcmconv", "+ti"), IMPLICIT),
    ("xs", _by("dcmcjpeg", "+e1"), f"{JPEG}.70"),
    ("xy", _by("dcmcjpeg", "+eb", "+un"), f"{JPEG}.50"),
    ("xx", _by("dcmcjpeg", "+ee", "+un"), f"{JPEG}.51"),
    ("xv", _as(f"{JPEG}.90"), f"{JPEG}.90"),
    ("xw", _as(f"{JPEG}.91"), f"{JPEG}.91"),
    ("xt", _by("dcmcjpls", "+el"), f"{JPEG}.80"),
    ("xu", _by("dcmcjpls", "+en", "+un"), f"{JPEG}.81"),
    ("xm", _as(f"{JPEG}.100"), f"{JPEG}.100"),
    ("xh", _as(f"{JPEG}.101"), f"{JPEG}.101"),
    ("xn", _as(f"{JPEG}.102"), f"{JPEG}.102"),
    ("xl", _as(f"{JPEG}.103"), f"{JPEG}.103"),
    ("x2", _as(f"{JPEG}.104"), f"{JPEG}.104"),
    ("x3", _as(f"{JPEG}.105"), f"{JPEG}.105"),
    ("xo", _as(f"{JPEG}.106"), f"{JPEG}.106"),
    ("x4", _as(f"{JPEG}.107"), f"{JPEG}.107"),
    ("x5", _as(f"{JPEG}.108"), f"{JPEG}.108"),
    ("xr", _by("dcmcrle"), "1.2.840.10008.1.2.5"),
    ("xd", _by("dcmconv", "+td"), DEFLATED),
]
ALL_UNCOMPRESSED = ("xs", "xy", "xx", "xv", "xw", "xt", "xu", "xr", "xd")
FOLDERS = ("transfer-syntaxes/one-ct-in-every-syntax", "transfer-syntaxes/wg04-ct1-mr1")
WAYS = [("-R",), ("+C",), ("-R", "+C"), ()]  # the last proposes every storage class


@pytest.mark.parametrize(("option", "made", "syntax"), OPTIONS, ids=[option for option, _, _ in OPTIONS])
def test_every_proposal_of_storescu(
    option: str, made: Callable[[Path], Path], syntax: str, appliance: RunningAppliance, tmp_path: Path
) -> None:
    """However storescu proposes a syntax, an instance in it arrives in it, with the bytes that storescp gets."""
    slices = phantom(tmp_path, "ct" if option == "xu" else "pet-ac", instances=len(WAYS))
    with storescp(tmp_path / "reference", f"+{option}") as port:
        for path, way in zip(map(made, slices), WAYS, strict=True):
            for to in (port, appliance.port):
                done = storescu(to, [path], f"-{option}", *way)
                assert done.returncode == 0, (way, done.stderr)
    assert len(list((tmp_path / "reference").iterdir())) == len(WAYS)
    assert assert_kept(appliance, (tmp_path / "reference").iterdir()) == {syntax}


@pytest.mark.parametrize("option", ALL_UNCOMPRESSED)
def test_a_plain_instance_where_a_compressed_syntax_is_proposed_too(
    option: str, appliance: RunningAppliance, tmp_path: Path
) -> None:
    """An uncompressed instance goes through the context for those, beside the one for the compressed syntax."""
    with storescp(tmp_path / "reference", f"+{option}") as port:
        [path] = phantom(tmp_path)
        for to in (port, appliance.port):
            done = storescu(to, [path], f"-{option}")
            assert done.returncode == 0, done.stderr
    assert assert_kept(appliance, (tmp_path / "reference").iterdir()) == {DEFLATED if option == "xd" else EXPLICIT}


def test_an_instance_that_storescu_has_to_re_encode(appliance: RunningAppliance, tmp_path: Path) -> None:
    """With implicit VR proposed alone, or big endian first in one context, it arrives as storescu re-encodes it."""
    with storescp(tmp_path / "reference", "+xi") as implicit, storescp(tmp_path / "big", "+xb") as big:
        for options, port in ((["-xi"], implicit), (["-xb", "+C"], big)):
            [path] = phantom(tmp_path)
            for to in (port, appliance.port):
                assert storescu(to, [path], *options).returncode == 0
    assert assert_kept(appliance, (tmp_path / "reference").iterdir()) == {IMPLICIT}
    assert assert_kept(appliance, (tmp_path / "big").iterdir()) == {BIG}


@needs_data
def test_real_encoders(appliance: RunningAppliance, tmp_path: Path) -> None:
    """Real instances, as other encoders compressed them, arrive with the bytes that storescp gets."""
    option_of = {syntax: option for option, _, syntax in OPTIONS if option not in ("x=", "xd")}
    found: dict[str, list[Path]] = {}
    for number, path in enumerate(data_files(*FOLDERS)):
        part = read_part10(path)
        if part is not None and part.transfer_syntax_uid in option_of:
            found.setdefault(part.transfer_syntax_uid, []).append(
                _renamed(path, part.sop_instance_uid, number, tmp_path)
            )
    assert len(found) >= 10
    for syntax, paths in found.items():
        option = option_of[syntax]
        with storescp(tmp_path / syntax, f"+{option}") as port:
            for to in (port, appliance.port):
                done = storescu(to, paths, "-R", f"-{option}")
                assert done.returncode == 0, (syntax, done.stderr)
        assert len(list((tmp_path / syntax).iterdir())) == len(paths)
        assert assert_kept(appliance, (tmp_path / syntax).iterdir()) == {syntax}


def _renamed(path: Path, uid: str, number: int, folder: Path) -> Path:
    """A copy with a UID of its own: the collections repeat one instance in many forms."""
    copy = folder / f"{number}.dcm"
    copy.write_bytes(path.read_bytes().replace(uid.encode(), f"{uid[:-3]}{number + 100}".encode()))
    return copy
