"""Fifty scanners at once where few may associate: those beyond the cap come again, and all get through."""

import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

import pytest

from tests.faults.calling import Call, NoAnswerError, RejectedError
from tests.faults.receiving import TRANSIENT, Receiver
from tests.faults.senders import noted
from tests.faults.studies import CT, Instance, make_instance
from tests.support.appliance import RunningAppliance
from tests.support.figures import figure
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

SCANNERS = 50
PER_HOST, IN_ALL = 6, 10
INSTANCES = int(os.environ.get("MICROPACS_INSTANCES", "4"))  # of each scanner
AGAIN_SECONDS = (0.1, 0.5)  # a scanner that was rejected comes again after some time between
AT_WORK_SECONDS = 0.05  # between two instances, so that there is always somebody who finds no seat
PATIENCE_SECONDS = 120.0
YAML = """
appliance:
  ae_title: MICROPACS
  listen: "127.0.0.1:{{port}}"
  data: ./data
  limits: {{associations: {in_all}, per_host: {per_host}}}
sources: {{room1: {{ae_title: ROOM1, host: 127.0.0.0/8}}}}
destinations: {{pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}}}}}
routes: [{{name: all, to: [pacs]}}]
archive: {{free_space: 100MB}}
"""


@dataclass
class Crowd:
    """Scanners that come again until all they have is acknowledged; what befell them."""

    port: int
    addresses: int
    acknowledged: dict[str, str] = field(default_factory=dict)
    rejections: Counter[tuple[int, ...]] = field(default_factory=Counter)
    unanswered: int = 0
    at_once: int = 0  # associations now
    most_in_all: int = 0
    seconds: list[float] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def scan(self, number: int, start: threading.Barrier) -> None:
        """One scanner with one study of its own."""
        address = f"127.0.0.{2 + number % self.addresses}"
        chance = random.Random(number)
        study = f"2.25.90{self.addresses}.{number}"
        left = [make_instance(f"{study}.0", f"{study}.1", f"{study}.2.{i}") for i in range(INSTANCES)]
        start.wait(60)
        began = time.monotonic()
        while left and time.monotonic() < began + PATIENCE_SECONDS:
            try:
                self._send(Call(self.port, "ROOM1", CT, address), left)
            except RejectedError as error:
                with self.guard:
                    self.rejections[error.args[0]] += 1
            except NoAnswerError:
                with self.guard:
                    self.unanswered += 1
            time.sleep(chance.uniform(*AGAIN_SECONDS) if left else 0)
        with self.guard:
            self.seconds.append(time.monotonic() - began)

    def _send(self, call: Call, left: list[Instance]) -> None:
        self._count(1)
        try:
            while left:
                if call.store(left[0]) == 0:
                    instance = left.pop(0)
                    with self.guard:
                        self.acknowledged[instance.uid] = instance.sha256
                time.sleep(AT_WORK_SECONDS)
        finally:
            self._count(-1)  # before it is released, so that there are never more than there can be
        call.release()

    def _count(self, more: int) -> None:
        with self.guard:
            self.at_once += more
            self.most_in_all = max(self.most_in_all, self.at_once)


def test_all_get_through_in_the_end(tmp_path: Path) -> None:
    """From one address and from ten: who is beyond a cap is rejected for now, and nothing acknowledged is lost."""
    (tmp_path / "site").mkdir()
    port = free_port()
    pacs = Receiver(tmp_path / "pacs", "pacs", port, lambda _: None)
    yaml = YAML.format(per_host=PER_HOST, in_all=IN_ALL, pacs=port)
    acknowledged: dict[str, str] = {}
    try:
        with RunningAppliance(tmp_path / "site", yaml) as appliance:
            for addresses, cap in ((1, PER_HOST), (10, IN_ALL)):
                crowd = Crowd(appliance.port, addresses)
                _run(crowd)
                figure(_told(crowd))
                assert len(crowd.acknowledged) == SCANNERS * INSTANCES, "not everybody got through"
                assert set(crowd.rejections) == {TRANSIENT}
                assert not crowd.unanswered
                assert crowd.most_in_all <= cap
                acknowledged |= crowd.acknowledged
            appliance.delivered("pacs", len(acknowledged))
            kept = dict(appliance.sql("select sop_instance_uid, received_digest from instances"))  # type: ignore[arg-type]
            assert kept == acknowledged
            copies = Counter((each["uid"], each["sha256"]) for each in noted(tmp_path / "pacs" / "copies.jsonl"))
            assert copies == Counter(acknowledged.items())
            figure(f"n = {len(acknowledged)} acknowledged, 0 lost")
    finally:
        pacs.close()


def _run(crowd: Crowd) -> None:
    start = threading.Barrier(SCANNERS)
    scanners = [threading.Thread(target=crowd.scan, args=(number, start)) for number in range(SCANNERS)]
    for scanner in scanners:
        scanner.start()
    for scanner in scanners:
        scanner.join(2 * PATIENCE_SECONDS)


def _told(crowd: Crowd) -> str:
    cuts = quantiles(crowd.seconds, n=100, method="inclusive")
    return (
        f"n = {SCANNERS} scanners from {crowd.addresses} addresses, {len(crowd.acknowledged)} instances acknowledged,"
        f" {crowd.rejections.total()} rejections for now, at most {crowd.most_in_all} associations at once,"
        f" until all was acknowledged p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s"
    )
