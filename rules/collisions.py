"""Edits against edits: two rules that write one attribute, edits undone by later ones. It looks at no instance."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from rules.attribute import Attribute, Step
from rules.clause import Clause, Loc, all_of
from rules.edits import Edit
from rules.edits.anonymise import AnonymiseEdit
from rules.edits.assignment import CopyEdit, SetEdit
from rules.edits.lookup import LookupEdit
from rules.edits.removal import BlankEdit, RemoveEdit
from rules.finding import Finding
from rules.possibility import Sender, possible
from rules.profiles import profile
from rules.schema import OTHERWISE, NormaliseRule, RouteRule, Rule, RulesSettings

Senders = Sequence[Sender] | None
Steps = tuple[Step, ...]

# What `anonymise` looks at before it takes it away.
_LOOKED_AT = frozenset(
    Attribute.parse(keyword).steps
    for keyword in (
        "PatientID",
        "IssuerOfPatientID",
        "StudyInstanceUID",
        "SOPClassUID",
        "SOPInstanceUID",
        "BurnedInAnnotation",
        "ImageType",
        "Modality",
    )
)


def collisions(settings: RulesSettings, senders: Senders) -> Iterator[Finding]:
    """What rules do against themselves, against each other, and for one destination in two ways."""
    normalise = [(("normalise", index), rule) for index, rule in enumerate(settings.normalise) if not rule.disabled]
    routes = [(("routes", index), rule) for index, rule in enumerate(settings.routes) if not rule.disabled]
    for loc, rule in (*normalise, *routes):
        yield from _undone_within(loc, rule)
    undone = list(_undone_later(normalise))
    yield from undone
    told = {finding.loc for finding in undone}
    yield from _different_values(normalise, senders, told)
    yield from _two_copies(routes, settings, senders)


def _of_the_arrival(condition: Clause | None) -> Clause | None:
    """The parts of a condition that no edit changes, as they look at facts of the arrival alone; None without any."""
    if condition is None:
        return None
    parts = condition.parts if condition.operator == "all" else (condition,)
    kept = [part for part in parts if part.subjects() and not any(each.attribute for each in part.subjects())]
    return all_of(kept) if kept else None


def _undone_within(loc: Loc, rule: Rule) -> Iterator[Finding]:
    """Edits whose result a later edit of the same rule replaces, without anything having looked at it."""
    for number, edit in enumerate(rule.edit):
        for attribute in _written_blindly(edit):
            for later in rule.edit[number + 1 :]:
                if verb := _replaces(later, attribute):
                    said = f"the rule {rule.name!r} writes {attribute.name} and then {verb} it: the first is in vain"
                    yield Finding((*loc, "edit", number), said)
                    break
                if _looks_at(later, attribute):
                    break


def _undone_later(rules: Sequence[tuple[Loc, NormaliseRule]]) -> Iterator[Finding]:
    """Edits of normalise whose result a later rule replaces for every instance there is."""
    for position, (loc, rule) in enumerate(rules):
        for number, edit in enumerate(rule.edit):
            for attribute in _written_blindly(edit):
                if any(_concerns(each, attribute) for each in rule.edit[number + 1 :]):
                    continue
                if found := _replaced_by(attribute, rule, [each for _, each in rules[position + 1 :]]):
                    later, verb = found
                    said = f"{attribute.name}, written by the rule {rule.name!r}, is in vain: {later!r} below {verb} it"
                    yield Finding((*loc, "edit", number), said)


def _replaced_by(attribute: Attribute, rule: Rule, below: Sequence[Rule]) -> tuple[str, str] | None:
    """The rule that certainly replaces an attribute and what it does; None if there is none, or one looks first."""
    for number, later in enumerate(below):
        if attribute.steps in _looked_at(later):
            return None
        for edit in later.edit:
            if verb := _replaces(edit, attribute):
                is_certain = _sees_the_same(later, [rule, *below[:number]]) and not possible(
                    [(rule.when, True), (later.when, False)]
                )
                return (later.name, verb) if is_certain and not _same_result(rule, later, attribute) else None
            if _looks_at(edit, attribute):
                return None
    return None


def _different_values(
    rules: Sequence[tuple[Loc, NormaliseRule]], senders: Senders, told: set[Loc]
) -> Iterator[Finding]:
    """Two rules of normalise that may be for one instance and give an attribute two different texts; once an edit."""
    seen: set[tuple[Loc, str]] = set()
    for (first, (loc, one)), (second, (below, other)) in combinations(enumerate(rules), 2):
        for name, (number, text), (later, other_text) in _unlike(one, other):
            place = (*below, "edit", later)
            if (place, name) in seen or (*loc, "edit", number) in told:
                continue
            sees_the_same = _sees_the_same(other, [rule for _, rule in rules[first:second]])
            conditions = [each.when if sees_the_same else _of_the_arrival(each.when) for each in (one, other)]
            if not possible([(condition, True) for condition in conditions], senders):
                continue
            seen.add((place, name))
            said = (
                f"{name} gets two values, {text!r} by the rule {one.name!r} and {other_text!r} by {other.name!r}, "
                "which may both match: the later one counts"
            )
            yield Finding(place, said)


def _looked_at(rule: Rule) -> set[Steps]:
    """The attributes that the condition of a rule asks for."""
    return {each.attribute.steps for each in rule.when.subjects() if each.attribute} if rule.when else set()


def _sees_the_same(rule: Rule, before: Sequence[Rule]) -> bool:
    """Whether the rule looks at nothing that these rules may have changed."""
    changed = {attribute.steps for each in before for attribute in each.written}
    names_all = all(edit.reads() is not None for each in before for edit in each.edit)
    seen = _looked_at(rule)
    return not seen or (names_all and not seen & changed)


def _two_copies(
    routes: Sequence[tuple[Loc, RouteRule]], settings: RulesSettings, senders: Senders
) -> Iterator[Finding]:
    """Two routes to one destination that differ in what they set, or of which one anonymises and the other does not."""
    for (_, one), (below, other) in combinations(routes, 2):
        shared = [name for name in one.to if name in other.to]
        if not shared:
            continue
        if _anonymises(one) is not _anonymises(other):
            hidden, plain = (one, other) if _anonymises(one) else (other, one)
            yield Finding((*below, "to"), _mixed(shared[0], hidden.name, f"the rule {plain.name!r}"))
        may_both = not one.stop and possible([(one.when, True), (other.when, True)], senders)
        for name, (_, text), (later, other_text) in _unlike(one, other) if may_both else ():
            said = (
                f"for {shared[0]!r} {name} gets two values, {text!r} by the rule {one.name!r} and {other_text!r} "
                f"by {other.name!r}, which may both match: the edits of the first one count"
            )
            yield Finding((*below, "edit", later), said)
    if not isinstance(settings.otherwise, str):
        for _, rule in routes:
            for name in set(rule.to).intersection(settings.otherwise) if _anonymises(rule) else ():
                yield Finding((OTHERWISE,), _mixed(name, rule.name, OTHERWISE))


def _mixed(destination: str, hidden: str, plain: str) -> str:
    return f"{destination!r} gets anonymised instances by the rule {hidden!r} and identified ones by {plain}"


def _anonymises(rule: RouteRule) -> bool:
    return any(isinstance(edit, AnonymiseEdit) for edit in rule.edit)


def _unlike(one: Rule, other: Rule) -> Iterator[tuple[str, tuple[int, str], tuple[int, str]]]:
    """Attributes that both leave with a text, but not the same: the name, and for each its edit and its text."""
    others = _constants(other)
    for steps, (name, number, text) in _constants(one).items():
        if steps in others and others[steps][2] != text:
            yield name, (number, text), others[steps][1:]


def _same_result(one: Rule, other: Rule, attribute: Attribute) -> bool:
    """Whether two rules leave an attribute with the same text, or both blank or remove it."""
    mine, theirs = (_constants(rule).get(attribute.steps) for rule in (one, other))
    if mine is not None and theirs is not None:
        return mine[2] == theirs[2]
    last, latest = (_last_writer(rule, attribute) for rule in (one, other))
    return last is latest and last in {BlankEdit, RemoveEdit}


def _last_writer(rule: Rule, attribute: Attribute) -> type[Edit]:
    return [type(edit) for edit in rule.edit if attribute.steps in {each.steps for each in edit.writes()}][-1]


def _constants(rule: Rule) -> dict[Steps, tuple[str, int, str]]:
    """The attributes that a rule leaves with a text of its own: name, number of the edit, text."""
    found: dict[Steps, tuple[str, int, str]] = {}
    for number, edit in enumerate(rule.edit):
        if edit.is_whole:
            found.clear()
        for attribute in edit.writes():
            found.pop(attribute.steps, None)
        if isinstance(edit, SetEdit):
            for attribute, template in edit.assignments:
                if template.constant is not None:
                    found[attribute.steps] = (attribute.name, number, template.constant)
    return found


def _written_blindly(edit: Edit) -> tuple[Attribute, ...]:
    """What an edit writes and does nothing else by: `lookup` may hold the instance."""
    return () if isinstance(edit, LookupEdit) or edit.is_whole or edit.is_for_copies else edit.writes()


def _replaces(edit: Edit, attribute: Attribute) -> str | None:
    """What an edit does to an attribute without regard to its value; None if it does not."""
    if isinstance(edit, AnonymiseEdit):
        tag = attribute.tag
        removed = tag is not None and profile(edit.options).action(tag, None) in {"X", "Z", "D"}
        return "anonymises" if removed and attribute.steps not in _LOOKED_AT else None
    verb = _VERBS.get(type(edit))
    if verb is None or attribute.steps not in {each.steps for each in edit.writes()}:
        return None
    return None if attribute.steps in {each.steps for each in edit.reads() or ()} else verb


_VERBS: dict[type[Edit], str] = {SetEdit: "sets", CopyEdit: "sets", BlankEdit: "blanks", RemoveEdit: "removes"}


def _looks_at(edit: Edit, attribute: Attribute) -> bool:
    """Whether what an edit does may depend on an attribute."""
    reads = edit.reads()
    return reads is None or attribute.steps in {each.steps for each in (*reads, *edit.writes())}


def _concerns(edit: Edit, attribute: Attribute) -> bool:
    return _replaces(edit, attribute) is not None or _looks_at(edit, attribute)
