"""Connections that end at every image and at many bytes, and lost answers, on the way out and on the way in."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.answering import End, Script, Step, answering
from tests.faults.calling import Call, NoAnswerError
from tests.faults.cutting import Cut, cutting
from tests.faults.destinations import destination, digests, send, settled, site
from tests.faults.responding import Request
from tests.faults.studies import CT, Instance, make_series
from tests.support.appliance import RunningAppliance, wait_until
from tests.support.figures import figure

pytestmark = pytest.mark.slow

N = 8
POSITIONS = 50
PIXEL_BYTES = 8192


def _ends_at(k: int, end: End, *, answered: bool) -> Script:
    """A peer that ends its connection at its k-th request, before it answers or right after."""

    def answer(request: Request) -> tuple[Step, ...]:
        if request.number != k:
            return (0x0000,)
        return (0x0000, end) if answered else (end,)

    return Script(answer=answer)


def _assert_nothing_doubled(appliance: RunningAppliance, instances: int, destinations: int) -> None:
    """One row an instance, one delivery an instance and destination, all delivered with the same bytes, none held."""
    assert appliance.count("select count(*) from instances") == instances
    assert appliance.count("select count(*) from held") == 0
    rows = appliance.sql("select destination, state, count(*) from deliveries group by destination, state")
    assert sorted({(state, count) for _, state, count in rows}) == [("delivered", instances)]
    assert len(rows) == destinations
    sent = appliance.sql("select distinct instance_id, digest_sent from deliveries")
    assert len(sent) == instances, "it is noted to have been sent with other bytes than elsewhere"


def _sent_again(folder: Path, instances: list[Instance], cuts: dict[str, Cut]) -> int:
    """How many copies are sent again where each destination's connection is cut once: all are whole, none doubled."""
    scripts = {title: Script() for title in cuts}
    with ExitStack() as stack:
        peer = stack.enter_context(answering(scripts))
        port, relay = stack.enter_context(cutting(peer, cuts))
        settings = {title.lower(): destination(title, port) for title in scripts}
        appliance = stack.enter_context(site(folder / "site", settings))
        send(appliance, instances)
        settled(appliance, len(instances) * len(cuts))
        _assert_nothing_doubled(appliance, len(instances), len(cuts))
    assert relay.done == set(cuts)
    for title, script in scripts.items():
        assert script.copies() == digests(instances), title
    return sum(len(script.requests) for script in scripts.values()) - len(instances) * len(cuts)


def test_ended_at_every_image(tmp_path: Path) -> None:
    """By A-ABORT, FIN and RST at image k of 8, for every k: exactly what was not answered is sent again."""
    instances = make_series(17, 1, N)
    kinds = [(end, answered) for end in End for answered in (False, True)]
    cases = {f"{end.name}{k}{'A' * answered}": (k, end, answered) for end, answered in kinds for k in range(1, N + 1)}
    scripts = {title: _ends_at(k, end, answered=answered) for title, (k, end, answered) in cases.items()}
    with ExitStack() as stack:
        port = stack.enter_context(answering(scripts))
        settings = {title.lower(): destination(title, port) for title in scripts}
        appliance = stack.enter_context(site(tmp_path / "site", settings))
        send(appliance, instances)
        settled(appliance, N * len(cases))
        _assert_nothing_doubled(appliance, N, len(cases))
    again = Counter[str]()
    for title, (k, end, answered) in cases.items():
        script = scripts[title]
        assert script.copies() == digests(instances), title
        unanswered = set() if answered and end is not End.RST else {script.requests[k - 1].uid}
        twice = {uid for uid, count in Counter(each.uid for each in script.requests).items() if count > 1}
        assert twice <= unanswered if answered else twice == unanswered, title
        again[f"{end.value} {'after' if answered else 'instead of'} its answer"] += len(script.requests) - N
    told = ", ".join(f"{count} after {what}" for what, count in again.items())
    figure(f"n = {len(cases)} ends of an association, each of {N} instances: sent again {told}")


def test_cut_at_many_bytes(tmp_path: Path) -> None:
    """At 50 positions spread over a study, by FIN and RST in turn: the copies are whole, none is altered."""
    instances = make_series(17, 2, 5, PIXEL_BYTES)
    span = sum(len(instance.data) + 150 for instance in instances)
    cuts = {f"CUT{n}": Cut(1 + n * span // POSITIONS, (End.FIN, End.RST)[n % 2]) for n in range(POSITIONS)}
    again = _sent_again(tmp_path, instances, cuts)
    figure(
        f"n = {POSITIONS} cuts over {span} bytes: 0 missing, {again} of {len(instances) * POSITIONS} copies sent again"
    )
    assert again <= POSITIONS


def test_an_answer_lost_on_its_way_to_us(tmp_path: Path) -> None:
    """The peer kept the instance and its answer is cut, at many bytes of it: sent again with the same bytes."""
    instances = make_series(17, 3, 3)
    cuts = {f"LOST{at}": Cut(at, (End.FIN, End.RST)[at // 40 % 2], of_answers=True) for at in range(40, 600, 40)}
    again = _sent_again(tmp_path, instances, cuts)
    figure(f"n = {len(cuts)} answers cut: {again} of {len(instances) * len(cuts)} copies sent again, 0 rows doubled")
    assert 0 < again <= len(cuts)


def test_our_answer_lost_on_its_way_to_the_scanner(tmp_path: Path) -> None:
    """It sends again what it was not told of: one instance, and one delivery to each destination."""
    positions = range(20, 360, 20)
    instances = make_series(17, 4, len(positions))
    scripts = {"ONE": Script(), "TWO": Script()}
    lost = 0
    with ExitStack() as stack:
        peer = stack.enter_context(answering(scripts))
        settings = {title.lower(): destination(title, peer) for title in scripts}
        appliance = stack.enter_context(site(tmp_path / "site", settings))
        for at, instance in zip(positions, instances, strict=True):
            cut = Cut(at, (End.FIN, End.RST)[at // 20 % 2], of_answers=True)
            with cutting(appliance.port, {"MICROPACS": cut}) as (port, _):
                lost += _is_lost(port, instance)
            send(appliance, [instance])
        settled(appliance, 2 * len(instances))
        wait_until(lambda: appliance.waiting() == 0, 30, "all that came to be filed")
        _assert_nothing_doubled(appliance, len(instances), 2)
    for script in scripts.values():
        assert script.copies() == digests(instances)
        assert len(script.requests) == len(instances), "a copy was sent again"
    figure(f"n = {lost} answers lost of {len(instances)}, all sent again: 0 rows, 0 deliveries doubled")
    assert lost > 3


def test_a_scanner_cut_at_many_bytes(tmp_path: Path) -> None:
    """At 50 positions up to the last byte but one, by FIN and RST in turn: nothing is filed, no file is left behind."""
    [whole], [cut_short] = make_series(17, 5, 1, PIXEL_BYTES), make_series(17, 6, 1, PIXEL_BYTES)
    far = Cut(10**9, End.FIN)
    with answering({"ONE": Script()}) as peer, site(tmp_path / "site", {"one": destination("ONE", peer)}) as appliance:
        with cutting(appliance.port, {"MICROPACS": far}) as (port, relay):
            call = Call(port, "ROOM1", CT)
            assert call.store(whole) == 0
            span = far.at - relay.left["MICROPACS"]
            call.release()
        settled(appliance, 1)
        before = _files(appliance)
        for n in range(POSITIONS):
            cut = Cut(1 + n * (span - 2) // (POSITIONS - 1), (End.FIN, End.RST)[n % 2])
            with cutting(appliance.port, {"MICROPACS": cut}) as (port, relay):
                ended = _ended(appliance)
                assert not _is_taken(port, cut_short)
                assert relay.done == {"MICROPACS"}
                # else the next one comes beside it, and an empty segment is made for that, which stays for another time
                wait_until(lambda ended=ended: _ended(appliance) > ended, 30, "the appliance to see the cut")
        wait_until(lambda: _files(appliance) == before, 30, "no file more than before")
        assert appliance.waiting() == 0
        assert appliance.sql("select sop_instance_uid from instances") == [(whole.uid,)]
        send(appliance, [cut_short])
        settled(appliance, 2)
        _assert_nothing_doubled(appliance, 2, 1)
    figure(f"n = {POSITIONS} cuts over {span} bytes: 0 instances, 0 files left")


def _files(appliance: RunningAppliance) -> set[str]:
    """The files of the data folder, but for those that SQLite comes and goes with."""
    paths = (path for path in appliance.data.rglob("*") if path.is_file())
    return {str(path) for path in paths if not path.name.startswith("micropacs.db")}


def _ended(appliance: RunningAppliance) -> int:
    """How many associations have ended."""
    return appliance.log.read_text().count("association ended")


def _is_taken(port: int, instance: Instance) -> bool:
    try:
        return Call(port, "ROOM1", CT).store(instance) == 0
    except NoAnswerError:
        return False


def _is_lost(port: int, instance: Instance) -> bool:
    """Send it once; whether the answer to it never came, all of it having been sent."""
    try:
        call = Call(port, "ROOM1", CT)
        call.send(call.message(instance))
    except NoAnswerError:
        return False
    try:
        return call.status() != 0
    except NoAnswerError:
        return True
