"""One appliance, six destinations, five of them in trouble: each has its own line and its own outcome."""

import time
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from tests.support.appliance import RunningAppliance, free_port, wait_until
from tests.support.data import data_files, needs_data
from tests.support.dcmtk import dcmsend, needs_dcmtk, storescp
from tests.support.extent import extent
from tests.support.part10 import read_part10
from tests.support.scripted import Script, scripted

pytestmark = [needs_data, needs_dcmtk, pytest.mark.peer, pytest.mark.slow]

CT, PET = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128"
RETRY = "retry: {first: 1s, factor: 1, longest: 1s}"
DOWN_SECONDS = extent(10, 60)


def _yaml(ports: dict[str, int]) -> str:
    destinations = "\n".join(
        f"  {name}: {{ae_title: {name.upper()}, host: 127.0.0.1, port: {port}, {RETRY}}}"
        for name, port in ports.items()
    )
    return f"""
appliance: {{ae_title: MICROPACS, listen: "127.0.0.1:{{port}}", data: ./data}}
sources: {{dste: {{ae_title: GE_DSTE, host: 127.0.0.1}}}}
destinations:
{destinations}
routes:
  - name: to everybody
    to: [{", ".join(ports)}]
"""


def _states(appliance: RunningAppliance, destination: str) -> dict[str, int]:
    rows = appliance.sql("select state, count(*) from deliveries where destination = ? group by state", destination)
    return {str(state): int(str(count)) for state, count in rows}


def test_each_destination_has_its_own_trouble(tmp_path: Path) -> None:
    """Down for long, rejecting, A700, A900, aborting, implicit only: each as the table says."""
    files = data_files("series/ct-ge-discovery-st")[:40]
    many = len(files)
    scripts = {
        "rejecting": Script(rejects=3),
        "full": Script(answer=lambda number: 0xA700 if number <= 5 else 0x0000),
        "strict": Script(answer=lambda number: 0xA900 if number % 10 == 0 else 0x0000),
        "aborting": Script(answer=lambda number: None if number in {10, 25} else 0x0000),
        "implicit": Script(syntaxes=("1.2.840.10008.1.2",)),
    }
    down = free_port()
    with ExitStack() as stack:
        ports = {name: stack.enter_context(scripted(script, (CT, PET))) for name, script in scripts.items()}
        ports["good"] = stack.enter_context(storescp(tmp_path / "good"))
        ports["down"] = down
        (tmp_path / "site").mkdir()
        appliance = stack.enter_context(RunningAppliance(tmp_path / "site", _yaml(ports)))
        begun = time.monotonic()
        assert dcmsend(appliance.port, files, "-dn", "-aet", "GE_DSTE").returncode == 0
        appliance.delivered("good", many, 20)
        good_after = time.monotonic() - begun
        for name in ("rejecting", "full", "aborting", "implicit"):
            appliance.delivered(name, many, 40)
            assert len(scripts[name].stored) == many
        wait_until(
            lambda: sum(_states(appliance, "strict").get(s, 0) for s in ("delivered", "parked")) == many, 30, "strict"
        )

        assert _states(appliance, "strict") == {"delivered": many - many // 10, "parked": many // 10}
        parked = appliance.sql("select status, reason, attempts from deliveries where state = 'parked'")
        assert {status for status, _, _ in parked} == {0xA900}
        assert scripts["rejecting"].associations >= 4
        assert len(scripts["full"].requests) == many + 5, "only refused instances are sent again"
        assert len(scripts["aborting"].requests) == many + 2, "only the two in flight are sent again"
        assert set(scripts["implicit"].syntax_of.values()) == {"1.2.840.10008.1.2"}
        _assert_same_but_for_syntax(files, scripts["implicit"], appliance)

        assert _states(appliance, "down") == {"due": many}
        assert appliance.count("select max(attempts) from deliveries where destination = 'down'") == 0
        assert good_after < 20
        time.sleep(max(0.0, DOWN_SECONDS - (time.monotonic() - begun)))
        stack.enter_context(storescp(tmp_path / "down", port=down))
        appliance.delivered("down", many, 20)
        arrived = [part for path in (tmp_path / "down").iterdir() if (part := read_part10(path))]
        good = {
            part.sop_instance_uid: part.data_set
            for path in (tmp_path / "good").iterdir()
            if (part := read_part10(path))
        }
        assert {part.sop_instance_uid: part.data_set for part in arrived} == good


def _assert_same_but_for_syntax(files: list[Path], script: Script, appliance: RunningAppliance) -> None:
    for path in files[:5]:
        before = pydicom.dcmread(path)
        data = script.stored[str(before.SOPInstanceUID)]
        after = pydicom.dcmread(BytesIO(data), force=True)
        assert after.PixelData == before.PixelData
        assert {e.tag: e.value for e in after if not e.tag.is_private} == {
            e.tag: e.value for e in before if not e.tag.is_private and e.tag.element != 0
        }
