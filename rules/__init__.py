"""The room that decides: header and arrival in, decision out. No clock, no disk, no network, no database."""

from rules.analysis import analyse, mistakes
from rules.attribute import Attribute
from rules.cases import TestCase
from rules.comparison import Difference, differences, spliced
from rules.decision import Change, Decision, Dispatch, Late, Prepared, Priority, Scope, Verdict
from rules.derived import filed_series
from rules.document import Document, Entry, LoadError, Node, Position, Problem
from rules.draft import Draft, Splice, undo
from rules.edits import AnyEdit, EditContext, Table, delimiter_of
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
from rules.example import Example, example
from rules.explanation import CopyTrace, Explanation, explained
from rules.facts import Arrival, Condition, Facts, FiledSeries, Readable
from rules.finding import Finding
from rules.header import Header, identify
from rules.identity import begins_as
from rules.layout import BIG_ENDIAN_UID, DEFLATED, EXPLICIT_LITTLE_UID
from rules.loading import compose
from rules.pixels import TARGETS, PixelWork, Region, has_overlay_in_pixels, is_compressed
from rules.possibility import Sender, needs, possible
from rules.problems import closest, problems_from
from rules.reencoding import implicit_prefix, pixel_element, recast
from rules.schema import BY_HAND, OTHERWISE, NormaliseRule, Otherwise, RouteRule, RulesSettings
from rules.splicing import deflate, edited
from rules.testing import TestResult, run_tests
from rules.trace import ClauseTrace, RuleTrace
from rules.values import After, Duration, Flag, GiveUp, Size, Window, one_of, parse_duration

__all__ = [
    "BIG_ENDIAN_UID",
    "BY_HAND",
    "DEFLATED",
    "EXPLICIT_LITTLE_UID",
    "OTHERWISE",
    "TARGETS",
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
    "Difference",
    "Dispatch",
    "Document",
    "Draft",
    "Duration",
    "EditContext",
    "EditError",
    "EditHeldError",
    "EditRejectedError",
    "Entry",
    "Example",
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
    "PixelWork",
    "Position",
    "Prepared",
    "Priority",
    "Problem",
    "Readable",
    "Region",
    "RouteRule",
    "RuleTrace",
    "RulesError",
    "RulesSettings",
    "Ruleset",
    "Scope",
    "Sender",
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
    "deflate",
    "delimiter_of",
    "differences",
    "edited",
    "example",
    "explained",
    "filed_series",
    "has_overlay_in_pixels",
    "identify",
    "implicit_prefix",
    "is_compressed",
    "mistakes",
    "needs",
    "one_of",
    "parse_duration",
    "pixel_element",
    "possible",
    "problems_from",
    "recast",
    "run_tests",
    "spliced",
    "undo",
]
