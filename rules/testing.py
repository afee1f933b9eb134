"""Runs the tests of the configuration on real data sets, decided on and edited as any other. It writes no file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from rules.attribute import TRANSFER_SYNTAX_UID
from rules.cases import Expectation, Given, TestCase, Wanted
from rules.decision import Decision
from rules.draft import Draft
from rules.errors import RulesError
from rules.evaluation import Ruleset
from rules.explanation import archived
from rules.facts import Readable
from rules.header import Header

_ANY_INSTANCE_UID = "2.25.1"


@dataclass(frozen=True, slots=True)
class TestResult:
    """What one test came to; `failures` say in words what differs from what was expected."""

    __test__: ClassVar[bool] = False  # not one of pytest's

    name: str
    passed: bool
    failures: list[str]


def run_tests(ruleset: Ruleset) -> list[TestResult]:
    """The tests of the configuration, run for real; what they tell holds no secret."""
    results = (run(case, ruleset) for case in ruleset.settings.tests)
    return [replace(result, failures=[ruleset.conceal(each) for each in result.failures]) for result in results]


def run(case: TestCase, ruleset: Ruleset) -> TestResult:
    """Make the instance, decide, compare."""
    try:
        header = header_of(case.given)
    except RulesError as error:
        return TestResult(case.name, False, [f"given cannot be made: {error}"])
    decision = ruleset.decide(header, case.given.arrival)
    failures = list(_failures(case, ruleset, header, decision))
    return TestResult(case.name, not failures, failures)


def header_of(given: Given) -> Header:
    """The header of a data set with the given attributes and no others, save SOP Class and Instance UID and UTF-8."""
    draft = Draft(Header.scan(_least_data_set(), ExplicitVRLittleEndian))
    transfer_syntax_uid: str = ExplicitVRLittleEndian
    for attribute, values in given.attributes:
        if attribute.steps[0].tag == TRANSFER_SYNTAX_UID:
            transfer_syntax_uid = "".join(values)
        else:
            draft.set(attribute, values, checked=False)
    return Header.scan(draft.splice().prefix, transfer_syntax_uid)


@cache
def _least_data_set() -> bytes:
    data_set = Dataset()
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.SOPClassUID = SecondaryCaptureImageStorage
    data_set.SOPInstanceUID = _ANY_INSTANCE_UID
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, data_set)
    return stream.getvalue()


def _failures(case: TestCase, ruleset: Ruleset, header: Header, decision: Decision) -> Iterator[str]:
    """What differs, most telling first."""
    expect = case.expect
    if decision.held and not expect.held:
        yield f"held by {decision.held.rule or 'the appliance'}: {decision.held.reason}"
    elif expect.held and not decision.held:
        yield f"not held; {_whereabouts(decision)}"
    if decision.rejected and not expect.rejected:
        yield f"rejected by {decision.rejected.rule or 'the appliance'}: {decision.rejected.reason}"
    elif expect.rejected and not decision.rejected:
        yield f"not rejected; {_whereabouts(decision)}"
    if decision.held or decision.rejected:
        if expect.to:
            yield f"to: expected {_listed(expect.to)}, but it goes nowhere"
        return
    if expect.warned is not None and expect.warned != bool(decision.warnings):
        told = "; ".join(f"{each.rule}: {each.reason}" for each in decision.warnings)
        yield f"warned by {told}" if told else "not warned of"
    yield from _routing_failures(expect, decision)
    yield from _differences(decision.header, expect.attributes, "")
    kept = archived(header, decision)
    routes = {dispatch.destination: dispatch.route for dispatch in decision.dispatches}
    for destination, wanted in expect.at:
        if destination not in routes:
            yield f"at {destination}: nothing goes there; {_whereabouts(decision)}"
            continue
        try:
            prepared = ruleset.prepare(routes[destination], kept, case.given.arrival)
        except RulesError as error:
            yield f"at {destination}: held at delivery: {error}"
            continue
        sent = Header.scan(prepared.splice.prefix, kept.transfer_syntax_uid) if prepared.splice else kept
        if prepared.pixels:
            sent = Header(sent.top, prepared.pixels.transfer_syntax_uid, sent.pixel_tag)
        yield from _differences(sent, wanted, f"at {destination}: ")


def _routing_failures(expect: Expectation, decision: Decision) -> Iterator[str]:
    """Who gets it and should not, and the other way round."""
    if expect.to is None:
        return
    actual = {dispatch.destination for dispatch in decision.dispatches}
    if actual != set(expect.to):
        yield f"to: expected {_listed(expect.to)}, but {_whereabouts(decision)}"


def _differences(header: Readable, wanted: Wanted, where: str) -> Iterator[str]:
    """Attributes that are not as expected."""
    for attribute, values in wanted:
        actual = header.values(attribute)
        if (actual or ()) != values:
            found = "it is absent" if actual is None else f"it is {_quoted(actual)}"
            yield f"{where}{attribute.name}: expected {_quoted(values) if values else 'nothing'}, but {found}"


def _whereabouts(decision: Decision) -> str:
    if decision.held or decision.rejected:
        return "it goes nowhere"
    named = [f"{dispatch.destination} by {dispatch.route!r}" for dispatch in decision.dispatches]
    return f"it goes to {', '.join(named)}" if named else "it goes nowhere but the archive"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nobody"


def _quoted(values: tuple[str, ...]) -> str:
    return repr("\\".join(values))
