"""Every answer a destination can give, through a whole appliance: what follows, after how many attempts, and why."""

import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.answering import End, Script, Step, answering
from tests.faults.destinations import destination, digests, send, settled, site
from tests.faults.responding import Request, response
from tests.faults.studies import make_series
from tests.support.appliance import wait_until
from tests.support.figures import figure

pytestmark = pytest.mark.slow

ATTEMPTS = 5  # what the destinations of these tests are given
GIVES_UP = f"retry: {{first: 0.1s, factor: 1, longest: 0.1s, give_up: {ATTEMPTS} attempts}}"

Expected = tuple[str, int, str]  # action, attempts, reason shown


def _delivered(why: str = "") -> Expected:
    return "warned" if why else "delivered", 1, why


def _parked(why: str) -> Expected:
    return "parked", 1, why


def _retried(why: str) -> Expected:
    return "retried", ATTEMPTS, f"gave up after {ATTEMPTS} attempts: {why}"


def _unknown(status: int) -> Expected:
    return "unknown", 3, f"gave up after 3 attempts: unknown status {status:04X}"


# Failures of other services (PS3.7 annex C), Cancel, Pending, and what is between the ranges of the Storage Service.
UNKNOWN = (0x0002, 0x0105, 0x0111, 0x0112, 0x0119, 0x0210, 0x0211, 0x0212, 0x1234, 0x9999)
UNKNOWN += (0xA600, 0xA800, 0xAA00, 0xD000, 0xFE00, 0xFF00, 0xFFFF)

STATUSES: Mapping[int, Expected] = {
    0x0000: _delivered(),
    0x0001: _delivered("warning"),
    0x0107: _delivered("warning: attribute list error"),
    0x0116: _delivered("warning: attribute value out of range"),
    0xB000: _delivered("warning: coercion of data elements"),
    0xB006: _delivered("warning: elements discarded"),
    0xB007: _delivered("warning: data set does not match SOP class"),
    0xB001: _delivered("warning"),
    0xBFFF: _delivered("warning"),
    0x0110: _retried("processing failure"),
    0x0213: _retried("resource limitation"),
    0xA700: _retried("out of resources"),
    0xA701: _retried("out of resources"),
    0xA7FF: _retried("out of resources"),
    0x0117: _parked("invalid SOP instance"),
    0x0122: _parked("SOP class not supported"),
    0x0124: _parked("not authorised"),
    0xA900: _parked("data set does not match SOP class"),
    0xA901: _parked("data set does not match SOP class"),
    0xA9FF: _parked("data set does not match SOP class"),
    0xC000: _parked("cannot understand"),
    0xC001: _parked("cannot understand"),
    0xCFFF: _parked("cannot understand"),
} | {status: _unknown(status) for status in UNKNOWN}

ODD_ANSWERS: Mapping[str, tuple[Callable[[Request], Sequence[Step]], Expected]] = {
    "no status": (
        lambda request: [response(request, x0900=None)],
        _retried("element (0000,0900) of a command is absent or no number"),
    ),
    "answers another message": (
        lambda request: [response(request, x0120=struct.pack("<H", request.message_id + 1))],
        _retried("a response to another request"),
    ),
    "C-ECHO-RSP instead": (
        lambda request: [response(request, x0100=struct.pack("<H", 0x8030))],
        _retried("a response of another kind"),
    ),
    "data set announced": (
        lambda request: [response(request, x0800=struct.pack("<H", 1))],
        _retried("a response to another request"),
    ),
    "no command set": (lambda _: [b"\x01\x02\x03"], _retried("a command set is cut")),
    "no Affected SOP UIDs": (lambda request: [response(request, x0002=None, x1000=None)], _delivered()),
    "another Affected SOP UID": (lambda request: [response(request, x1000=b"1.2.3.4\0")], _delivered()),
    "A-ABORT": (lambda _: [End.ABORT], _retried("the peer aborted the association")),
    "FIN": (lambda _: [End.FIN], _retried("the peer closed the connection")),
    "RST": (lambda _: [End.RST], _retried("the connection was lost")),
}

REJECTIONS: dict[tuple[int, int, int], Expected] = {
    (result, source, reason): (_parked if result == 1 else _retried)(f"the association was rejected: {why}")
    for result in (1, 2)
    for source, reason, why in (
        (1, 1, "no reason given"),
        (1, 2, "application context name not supported"),
        (1, 3, "calling AE title not recognised"),
        (1, 7, "called AE title not recognised"),
        (1, 4, "reason 4 of source 1"),
        (2, 1, "no reason given"),
        (2, 2, "protocol version not supported"),
        (3, 0, "reason 0 of source 3"),
        (3, 1, "temporary congestion"),
        (3, 2, "local limit exceeded"),
    )
}
NO_CONTEXT = (0, 0, 4)  # the association is accepted, and every presentation context refused (PS3.8 table 9-18)
REJECTIONS |= {NO_CONTEXT: _parked("no accepted presentation context")}


def _fate(row: Mapping[str, Any], tries: int) -> Expected:
    """What became of a delivery, as `micropacs queue` tells it, and how often the peer was tried."""
    if row["state"] == "delivered":
        return "warned" if row["reason"] else "delivered", tries, row["reason"]
    assert row["state"] == "parked"
    if "unknown status" in row["reason"]:
        return "unknown", tries, row["reason"]
    return "retried" if row["reason"].startswith("gave up") else "parked", tries, row["reason"]


def _show(what: str, expected: Expected, found: Expected) -> None:
    action, tries, why = found
    print(f"{what:26} {action:10} {tries}  {why}{'' if found == expected else f'   EXPECTED {expected}'}")


def test_each_answer_has_its_consequence(tmp_path: Path) -> None:
    """Delivered, warned, tried again until given up, or parked at once; and `micropacs queue` says why."""
    instances = make_series(1, 1, 1)
    answers: dict[str, tuple[Callable[[Request], Sequence[Step]], Expected]] = {
        f"{status:04X}": (lambda _, status=status: (status,), expected) for status, expected in STATUSES.items()
    }
    answers |= ODD_ANSWERS
    titles = {what: f"PEER{number}" for number, what in enumerate(answers)}
    scripts = {titles[what]: Script(answer=answer) for what, (answer, _) in answers.items()}
    with ExitStack() as stack:
        port = stack.enter_context(answering(scripts))
        settings = {title.lower(): destination(title, port, GIVES_UP) for title in scripts}
        appliance = stack.enter_context(site(tmp_path / "site", settings))
        send(appliance, instances)
        settled(appliance, len(answers))
        listed: Any = appliance.json("queue", "list", "--all")
        rows = {row["destination"]: row for row in listed["deliveries"]}
    found = {what: _fate(rows[title.lower()], len(scripts[title].requests)) for what, title in titles.items()}
    for what, (_, expected) in answers.items():
        _show(what, expected, found[what])
    right = sum(found[what] == expected for what, (_, expected) in answers.items())
    figure(f"{right} of n = {len(answers)} answers have their consequence")
    assert right == len(answers)
    assert all(script.copies() == digests(instances) for script in scripts.values()), "never other bytes"
    assert {what for what in answers if rows[titles[what].lower()]["attempts"] != found[what][1]} == set()


def test_each_rejection_has_its_consequence(tmp_path: Path) -> None:
    """For now: tried again until given up, at no attempt of the instance; for good: parked at once. Both say why."""
    titles = {rejection: f"PEER{''.join(map(str, rejection))}" for rejection in REJECTIONS}
    scripts = {title: Script(rejection=lambda _, each=each: each) for each, title in titles.items()}
    scripts[titles[NO_CONTEXT]] = Script(context_result=NO_CONTEXT[2])
    with ExitStack() as stack:
        port = stack.enter_context(answering(scripts))
        settings = {title.lower(): destination(title, port, GIVES_UP) for title in scripts}
        appliance = stack.enter_context(site(tmp_path / "site", settings))
        instances = make_series(1, 2, 1)
        send(appliance, instances)
        settled(appliance, len(scripts))
        listed: Any = appliance.json("queue", "list")
        rows = {row["destination"]: row for row in listed["deliveries"]}
        found = {
            rejection: _fate(rows[title.lower()], scripts[title].associations) for rejection, title in titles.items()
        }
        for rejection, expected in REJECTIONS.items():
            _show("/".join(map(str, rejection)), expected, found[rejection])
        right = sum(found[rejection] == expected for rejection, expected in REJECTIONS.items())
        for action in ("retried", "parked"):
            tries = sorted({each[1] for each in found.values() if each[0] == action})
            count = sum(each[0] == action for each in found.values())
            figure(f"n = {count} rejections {action}, after {' or '.join(map(str, tries))} attempts, then parked")
        assert right == len(REJECTIONS)
        assert {title: script.requests for title, script in scripts.items() if script.requests} == {}

        for script in scripts.values():
            script.rejection, script.context_result = (lambda _: None), 0
        assert appliance.run("queue", "retry").returncode == 0
        delivered = "select count(*) from deliveries where state = 'delivered'"
        wait_until(
            lambda: appliance.count(delivered) == len(scripts), 120, "all to be delivered after a person's retry"
        )
    assert all(script.copies() == digests(instances) for script in scripts.values())
