"""CPU of a hundred rules for each instance of a series, in this process; headers are scanned beforehand."""

import time
from datetime import UTC, datetime
from statistics import median

from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.figure import Figure, at_most, ours_alone
from benchmarks.settings import Settings
from benchmarks.study import PET_INSTANCES, scanner
from router.part10 import part_ten
from rules import Arrival, Header, Ruleset, RulesSettings, analyse, compose

ARRIVAL = Arrival("s1", "SCANNER", "MICROPACS", "10.1.1.1", datetime(2026, 3, 2, 12, tzinfo=UTC))
CONDITIONS = (
    "{source: [s2, s%d]}",
    "{Modality: [CT, MR, X%d]}",
    "{StudyDescription: '*TRIAL %d*'}",
    "{PatientID: {matches: '%d-\\d{4}'}}",
    "{SeriesDescription: {contains: protocol %d}, Modality: PT}",
    "{InstanceNumber: {above: 10000%d}}",
    "{any: [{StationName: ROOM%d}, {AccessionNumber: {starts: X}}]}",
    "{source: s1, not: {Manufacturer: '*'}, StudyID: '%d'}",
    "{all: [{time: '18:00-23:00'}, {weekday: [sat, sun]}, {StudyID: N%d}]}",
    "{ImageType: [DERIVED%d, LOCALIZER], PatientName: '*TEST*'}",
)


def measure(settings: Settings) -> list[Figure]:
    """Half of the rules correct and half send, of which one of ten matches; every instance is decided on."""
    settings.say("hundred")
    study = scanner().study(settings.folder / "study", pet=settings.scaled(PET_INSTANCES, least=10), ct=0)
    contents = [(path.read_bytes(), part_ten(path).data_set_offset) for path in study.files]
    parsed = hundred_rules()
    ruleset = Ruleset(parsed, {}, system="MICROPACS")
    decided: list[float] = []
    analysed: list[float] = []
    for _ in range(settings.rounds):
        taken = []
        for content, offset in contents:
            header = Header.scan(content[offset:], str(ExplicitVRLittleEndian))
            started = time.thread_time()
            ruleset.decide(header, ARRIVAL)
            taken.append(1e6 * (time.thread_time() - started))
        decided.append(median(taken))
        started = time.thread_time()
        analyse(parsed)
        analysed.append(1e3 * (time.thread_time() - started))
    return [
        ours_alone("CPU of 100 rules, an instance", "µs", decided, at_most(100), at_most(50)),
        ours_alone("… their analysis when they are loaded", "ms", analysed, note="once a configuration"),
    ]


def hundred_rules() -> RulesSettings:
    """Fifty rules of normalise and fifty routes, with conditions of every kind."""
    conditions = [CONDITIONS[number % len(CONDITIONS)] % number for number in range(100)]
    normalise = [
        f"{{name: n{number}, when: {when}, edit: [set: {{StudyComments: C{number}}}]}}"
        for number, when in enumerate(conditions[:50])
    ]
    routes = [
        f"{{name: r{number}, when: {'{Modality: PT}' if number % 10 == 0 else when}, to: [d{number}]}}"
        for number, when in enumerate(conditions[50:])
    ]
    text = f"normalise: [{', '.join(normalise)}]\nroutes: [{', '.join(routes)}]\n"
    return RulesSettings.model_validate(compose(text, "hundred").plain())
