"""One instance on its way through the rules, from the first to the last. Nothing is kept for the next one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic_core import PydanticCustomError

from rules.attribute import Attribute, Step
from rules.decision import Change, Decision, Dispatch, Priority, Verdict
from rules.draft import Draft
from rules.edits import EditContext, Table
from rules.edits.edit import parse_erasable, parse_writable
from rules.errors import EditError, EditHeldError, RulesError
from rules.facts import Arrival, Facts
from rules.header import Header
from rules.matching import Matching, Node
from rules.original_attributes import record
from rules.schema import BY_HAND, OTHERWISE, NormaliseRule, RouteRule, Rule, RulesSettings
from rules.subject import Reading, split
from rules.trace import Kind, Outcome, Witness

AnyRule = TypeVar("AnyRule", bound=Rule)


class Walk:
    """The steps in their order: `correct`, `normalise`, `stand`, `record`, `route`, `decision`.

    `rule` is the one at work.
    """

    def __init__(
        self,
        settings: RulesSettings,
        matching: Matching,
        tables: Mapping[str, Table],
        header: Header,
        arrival: Arrival,
        secret: bytes = b"",
        witness: Witness | None = None,
    ) -> None:
        self.settings = settings
        self.matching = matching
        self.tables = tables
        self.secret = secret
        self.header = header
        self.arrival = arrival
        self.witness = witness
        self.draft = Draft(header)
        self.node: Node | None = None  # how far it has come, where nothing was edited since
        self._read_anew()
        self.rule: str | None = None
        self.released = False
        self.let_by: frozenset[str] = frozenset()  # rules whose hold a person has released it from
        self.answered: frozenset[str] = frozenset()  # rules to whose hold a person has said what it shall be
        self.by_hand: frozenset[tuple[Step, ...]] = frozenset()  # the attributes that a person has given a value
        self.changes: list[Change] = []
        self.dispatches: dict[str, Dispatch] = {}
        self.held: Verdict | None = None
        self.rejected: Verdict | None = None
        self.warnings: list[Verdict] = []

    def correct(self, by_hand: Mapping[str, str], let_by: str | None = None, held_by: str | None = None) -> None:
        """A person let it go: their corrections, as text to the letter; an empty one empties the attribute.

        `let_by` is the rule by whose hold they let it, and by those before; `held_by` is the one they have answered.
        """
        self.released = True
        names = [*(rule.name for rule in self.settings.rules), OTHERWISE]
        if let_by in names:
            self.let_by = frozenset(names[: names.index(let_by) + 1])
        self.answered = self.let_by | {held_by or ""}
        self._set_by_hand(by_hand)

    def stand(self, by_hand: Mapping[str, str]) -> None:
        """The corrections that a person made of the whole study: they count more than what the rules made."""
        self._set_by_hand(by_hand)
        self._read_anew()

    def _set_by_hand(self, by_hand: Mapping[str, str]) -> None:
        for name, text in by_hand.items():
            self.rule = BY_HAND
            attribute = _correctable(name, text)
            old = values_text(self.draft.values(attribute))
            self.draft.set(attribute, split(text, attribute.vr))
            self.by_hand |= {attribute.steps}
            self._changed([Change(BY_HAND, name, old, values_text(self.draft.values(attribute)))])
        self.rule = None

    def normalise(self) -> None:
        """The rules on arrival; each sees what the ones before made."""
        context = EditContext(self.arrival, self.tables, self.secret)
        for rule in self._matching("normalise", self.settings.normalise, 0):
            if rule.hold is not None:
                self._hold(rule, rule.hold)
                continue
            if rule.warn is not None:
                self._saw("normalise", rule, "matched", notes=[self._warn(rule, rule.warn)])
                continue
            try:
                is_answered = rule.name in self.answered
                changes = apply(rule, self.draft, replace(context, by_hand=self.by_hand) if is_answered else context)
            except RulesError as error:
                self._saw("normalise", rule, "failed", notes=[str(error)])
                raise
            self._saw("normalise", rule, "matched", changes=changes)
            self._changed(changes)
            self._read_anew()
        self.rule = None

    def _hold(self, rule: NormaliseRule, why: str) -> None:
        """The rule asks a person to look, and says what its condition found; nothing, where one has looked."""
        if rule.name in self.let_by:
            self._saw("normalise", rule, "matched", notes=["a person has looked and let it go"])
            return
        self._saw("normalise", rule, "matched")
        raise EditHeldError(_with_findings(rule, why, self.reading))

    def _warn(self, rule: Rule, why: str) -> str:
        """The rule lets the instance through and says what its condition found; a note of that."""
        reason = _with_findings(rule, why, self.reading)
        self.warnings.append(Verdict(rule.name, reason))
        return f"lets it through, and it is recorded: {reason}"

    def record(self, system: str) -> None:
        """The old values, into the header that the archive keeps (PS3.3 C.12.1.1.9), as changed by `system`."""
        if self.draft.changed:
            record(self.draft, self.header, self.arrival.at, system)
            self._read_anew()

    def route(self) -> None:
        """The routes, on the normalised header, until one says stop; what none matched goes the way of `otherwise`."""
        matched = False
        for rule in self._matching("route", self.settings.routes, len(self.settings.normalise)):
            matched = True
            warned = [self._warn(rule, rule.warn)] if rule.warn is not None else []
            if self.witness is not None:
                self._saw("route", rule, "matched", to=rule.to, notes=[*self._notes(rule), *warned])
            for dispatch in rule.dispatches:
                self.dispatches.setdefault(dispatch.destination, dispatch)
            if rule.stop:
                break
        self.rule = None
        if not matched:
            self._otherwise()

    def decision(self) -> Decision:
        """What came of it. An instance that is held or rejected stays as it came."""
        if self.held or self.rejected:
            return Decision(self.header, (), None, (), self.held, self.rejected)
        splice = self.draft.splice() if self.draft.changed else None
        dispatches, warnings = tuple(self.dispatches.values()), tuple(self.warnings)
        return Decision(self.draft, tuple(self.changes), splice, dispatches, warnings=warnings)

    def _notes(self, rule: RouteRule) -> Iterator[str]:
        """What else there is to say of a route that matched."""
        for destination in rule.to:
            if destination in self.dispatches:
                first = self.dispatches[destination].route
                yield f"{destination}: the route {first!r} came first, its edits count"
        if rule.stop:
            yield "stop: the routes below are not looked at"

    def _otherwise(self) -> None:
        otherwise = self.settings.otherwise
        if otherwise == "hold" and self.released:
            return  # a person has looked: it is kept, and sent nowhere
        if otherwise == "hold":
            self.held = Verdict(OTHERWISE, "no route matched, and otherwise is hold")
        elif otherwise == "reject":
            self.rejected = Verdict(OTHERWISE, "no route matched, and otherwise is reject")
        elif otherwise != "archive":
            for destination in otherwise:
                self.dispatches[destination] = Dispatch(
                    destination, OTHERWISE, Priority.NORMAL, "instance", 0.0, "send"
                )

    def _matching(self, kind: Kind, rules: Sequence[AnyRule], before: int) -> Iterator[AnyRule]:
        """Those of the rules that are for this instance, each once the one ahead is done; `before` them are others.

        A rule is the one at work from its first question on.
        """
        if self.witness is not None:
            yield from (rule for rule in rules if self._matches(kind, rule))
            return
        node = self.node or self.matching.start(before)
        while node.position < before + len(rules):
            rule, reading = rules[node.position - before], self.reading
            self.rule = rule.name
            if node.question is not None:
                node = self.matching.after(node, node.question.answer(reading))
                continue
            yield rule
            node = self.matching.after(node) if self.reading is reading else self.matching.start(node.position + 1)
        self.node = node

    def _matches(self, kind: Kind, rule: Rule) -> bool:
        """The same of one rule for the witness, who sees every one."""
        if rule.disabled:
            self._saw(kind, rule, "disabled")
            return False
        self.rule = rule.name
        try:
            holds = rule.when is None or rule.when.holds(self.reading)
        except RulesError as error:
            self._saw(kind, rule, "failed", notes=[str(error)])
            raise
        if not holds:
            self._saw(kind, rule, "not matched")
        return holds

    def _changed(self, changes: Sequence[Change]) -> None:
        self.changes += [change for change in changes if change.old != change.new]

    def _read_anew(self) -> None:
        """The header may have been edited: nothing that was found out about it is known any more."""
        self.reading = Reading(Facts(self.draft, self.arrival))
        self.node = None

    def _saw(
        self,
        kind: Kind,
        rule: Rule,
        outcome: Outcome,
        *,
        changes: Sequence[Change] = (),
        to: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        if self.witness is not None:
            looked_at = (rule.when, self.reading) if rule.when and outcome != "disabled" else None
            self.witness.saw(kind, rule.name, outcome, looked_at, changes=changes, to=to, notes=notes)


def _with_findings(rule: Rule, why: str, reading: Reading) -> str:
    """What a rule tells people, with what its condition found where that looks at no single value."""
    leaves = rule.when.leaves() if rule.when else ()
    findings = [leaf.finding(reading) for leaf in leaves if leaf.finding]
    return "; ".join([why, *filter(None, findings)])


def _correctable(name: str, text: str) -> Attribute:
    """The attribute a person corrects, within the same limits as `set` and `blank` have. EditError outside them."""
    try:
        return parse_writable(name) if text else parse_erasable(name)
    except PydanticCustomError as error:
        raise EditError(error.message()) from None


def apply(rule: Rule, draft: Draft, context: EditContext) -> list[Change]:
    """Make a rule's edits in order; what they changed in the end, one line an attribute. EditError."""
    before = [(attribute, values_text(draft.values(attribute))) for attribute in rule.written]
    for edit in rule.edit:
        edit.apply(draft, context)
    after = [(each, old, values_text(draft.values(each))) for each, old in before]
    return [Change(rule.name, each.name, old, new) for each, old, new in after if old != new]


def values_text(values: tuple[str, ...] | None) -> str | None:
    """Values in one text as DICOM writes them (PS3.5 6.4); None if absent."""
    return None if values is None else "\\".join(values)
