"""The room that decides: header and arrival in, decision out. No clock, no disk, no network, no database."""

from rules.analysis import Finding, analyse
from rules.attribute import Attribute
from rules.cases import TestCase
from rules.decision import Change, Decision, Dispatch, Late, Prepared, Priority, Scope, Verdict
from rules.derived import filed_series
from rules.document import Document, Entry, LoadError, Node, Position, Problem
from rules.draft import Draft, Splice, undo
from rules.edits import NOT_AVAILABLE, AnyEdit, EditContext, Table, delimiter_of
from rules.errors import (
    AttributeNameError,
    EditError,
    EditHeldError,
    EditRejectedError,
    HeaderError,
    HeaderIncompleteError,
    Missing,
    RulesError,
)
from rules.evaluation import Ruleset
from rules.explanation import CopyTrace, Explanation
from rules.facts import Arrival, Condition, Facts, FiledSeries, Readable
from rules.header import Header, identify
from rules.identity import begins_as
from rules.loading import compose
from rules.problems import closest, problems_from
from rules.reencoding import implicit_prefix
from rules.schema import NormaliseRule, Otherwise, RouteRule, RulesSettings
from rules.testing import TestResult
from rules.trace import ClauseTrace, RuleTrace
from rules.values import After, Duration, Flag, GiveUp, Size, Window, one_of, parse_duration

__all__ = [
    "NOT_AVAILABLE",
    "After",
    "AnyEdit",
    "Arrival",
    "Attribute",
    "AttributeNameError",
    "Change",
    "ClauseTrace",
    "Condition",
    "CopyTrace",
    "Decision",
    "Dispatch",
    "Document",
    "Draft",
    "Duration",
    "EditContext",
    "EditError",
    "EditHeldError",
    "EditRejectedError",
    "Entry",
    "Explanation",
    "Facts",
    "FiledSeries",
    "Finding",
    "Flag",
    "GiveUp",
    "Header",
    "HeaderError",
    "HeaderIncompleteError",
    "Late",
    "LoadError",
    "Missing",
    "Node",
    "NormaliseRule",
    "Otherwise",
    "Position",
    "Prepared",
    "Priority",
    "Problem",
    "Readable",
    "RouteRule",
    "RuleTrace",
    "RulesError",
    "RulesSettings",
    "Ruleset",
    "Scope",
    "Size",
    "Splice",
    "Table",
    "TestCase",
    "TestResult",
    "Verdict",
    "Window",
    "analyse",
    "begins_as",
    "closest",
    "compose",
    "delimiter_of",
    "filed_series",
    "identify",
    "implicit_prefix",
    "one_of",
    "parse_duration",
    "problems_from",
    "undo",
]
