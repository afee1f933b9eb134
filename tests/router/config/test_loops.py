"""What the sources, the destinations and the rules of one file say together: loops, and what leads nowhere."""

from pathlib import Path

import pytest

from router.config import load

SITE = """\
sources:
  ct: {ae_title: CT, host: 10.1.1.1}
  ws: {ae_title: WS, host: 10.1.1.2}
destinations:
  back: {ae_title: WS, host: 10.1.1.2, port: 4006}
"""


def warnings(folder: Path, text: str) -> list[str]:
    """What `check` warns of, without the path."""
    file = folder / "site.yaml"
    file.write_text(text, encoding="utf-8")
    return [str(warning).removeprefix(f"{file}:") for warning in load(file, {}).warnings]


LOOP = (
    "sends what source 'ws' sent back to it, for destination 'back' has its AE title and host; "
    "add `not: {source: ws}` to the condition if that is not meant"
)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("routes: [{name: all, to: [back]}]", [f"6:26: the rule 'all' {LOOP}"]),
        ("routes: [{name: all, when: {source: ct}, to: [back]}]\notherwise: [back]", [f"7:12: otherwise {LOOP}"]),
        ("routes: [{name: all, when: {not: {source: ws}}, to: [back]}]\notherwise: hold", []),
        ("routes: [{name: all, when: {calling_ae: CT}, to: [back]}]\notherwise: hold", []),
        ("routes: [{name: own, when: {source: ws}, stop: yes}, {name: all, to: [back]}]", []),
    ],
)
def test_what_would_go_back_to_its_source(tmp_path: Path, rules: str, said: list[str]) -> None:
    """A route that sends an instance to where it came from is told, unless its condition or a stop excludes that."""
    assert warnings(tmp_path, SITE + rules) == said


@pytest.mark.parametrize(
    ("source", "destination", "is_told"),
    [
        ("10.1.1.0/24", "10.1.1.2", True),
        ("10.1.2.0/24", "10.1.1.2", False),
        ("WS.example.org", "ws.example.org", True),
        ("ws.example.org", "10.1.1.2", False),
        ("fd00::2", "FD00:0::2", True),
    ],
)
def test_hosts_are_compared_as_addresses(tmp_path: Path, source: str, destination: str, is_told: bool) -> None:
    """A network holds an address, names have no case, and an address may be written in several ways."""
    text = SITE.replace("ws: {ae_title: WS, host: 10.1.1.2}", f'ws: {{ae_title: WS, host: "{source}"}}')
    text = text.replace("host: 10.1.1.2, port", f'host: "{destination}", port')
    assert bool(warnings(tmp_path, text + "routes: [{name: all, to: [back]}]")) is is_told


def test_a_source_that_no_route_is_for(tmp_path: Path) -> None:
    """It is told, unless `otherwise` says what becomes of it."""
    rules = "routes: [{name: all, when: {source: ct}, to: [back]}]"
    assert warnings(tmp_path, SITE + rules) == [
        "3:7: no route is for source 'ws': what it sends is kept and goes nowhere"
    ]
    assert warnings(tmp_path, SITE + rules + "\notherwise: archive") == []


def test_a_destination_that_only_a_test_names_is_not_used(tmp_path: Path) -> None:
    """An expectation sends nothing."""
    rules = "routes: [{name: none, when: {Modality: CT}, to: [], stop: yes}]\n"
    test = "tests: [{name: t, given: {Modality: PT}, expect: {to: [back]}}]"
    assert warnings(tmp_path, SITE + rules + test) == ["5:3: no route sends to destination 'back'"]


@pytest.mark.parametrize(
    ("listen", "destination", "is_told"),
    [
        ("0.0.0.0:104", "{ae_title: OTHER, host: 127.0.0.2}", True),
        ("0.0.0.0:104", "{ae_title: OTHER, host: LocalHost, port: 104}", True),
        ("0.0.0.0:104", "{ae_title: MICROPACS, host: localhost, port: 105}", False),
        ("10.1.1.9:104", "{ae_title: OTHER, host: 10.1.1.9}", True),
        ("10.1.1.9:104", "{ae_title: OTHER, host: 127.0.0.1}", False),
        ("10.1.1.9:104", "{ae_title: MICROPACS, host: 127.0.0.1}", True),
        ("10.1.1.9:104", "{ae_title: MICROPACS, host: 10.1.1.8}", False),
        ('"[::1]:104"', '{ae_title: OTHER, host: "::1"}', True),
    ],
)
def test_the_appliance_itself(tmp_path: Path, listen: str, destination: str, is_told: bool) -> None:
    """A destination where the appliance listens is told, whatever it is called there; another program is left alone."""
    text = f"appliance: {{listen: {listen}}}\ndestinations:\n  me: {destination}\nroutes: [{{name: all, to: [me]}}]"
    assert warnings(tmp_path, text) == (["3:3: destination 'me' is this appliance itself"] if is_told else [])
