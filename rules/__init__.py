"""The room that decides: header and arrival in, decision out. No clock, no disk, no network, no database."""

from rules.attribute import Attribute
from rules.conditions import compile_condition
from rules.decision import Change, Decision, Dispatch, Late, Prepared, Priority, Scope, Verdict
from rules.document import Document, Entry, LoadError, Node, Position, Problem
from rules.draft import Draft, Splice, undo
from rules.errors import (
    AttributeNameError,
    EditError,
    EditHeldError,
    EditRejectedError,
    HeaderError,
    HeaderIncompleteError,
    RulesError,
)
from rules.facts import Arrival, Condition, Facts, Readable
from rules.header import Header, identify
from rules.loading import compose
from rules.problems import closest, problems_from
from rules.reencoding import implicit_prefix
from rules.values import Duration, Flag, GiveUp, Size, Window, one_of, parse_duration

__all__ = [
    "Arrival",
    "Attribute",
    "AttributeNameError",
    "Change",
    "Condition",
    "Decision",
    "Dispatch",
    "Document",
    "Draft",
    "Duration",
    "EditError",
    "EditHeldError",
    "EditRejectedError",
    "Entry",
    "Facts",
    "Flag",
    "GiveUp",
    "Header",
    "HeaderError",
    "HeaderIncompleteError",
    "Late",
    "LoadError",
    "Node",
    "Position",
    "Prepared",
    "Priority",
    "Problem",
    "Readable",
    "RulesError",
    "Scope",
    "Size",
    "Splice",
    "Verdict",
    "Window",
    "closest",
    "compile_condition",
    "compose",
    "identify",
    "implicit_prefix",
    "one_of",
    "parse_duration",
    "problems_from",
    "undo",
]
