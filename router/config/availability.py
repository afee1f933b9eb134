"""What the schema knows but this version cannot do yet: refused by name, never passed over. Checks nothing else."""

from collections.abc import Iterator

from rules import NOT_AVAILABLE, Document, Node, Position, Problem

_ON = ("true", "yes", "on")


def unavailable(document: Document) -> list[Problem]:
    """A problem for everything asked for that this version does not do."""
    found = [*_in_appliance(document.root), *_in_nodes(document.root), *_in_rules(document.root)]
    differs = document.root.get("archive", "when_same_uid_differs")
    for text, node in differs.texts() if differs is not None else ():
        if text.strip().lower() != "keep-first":
            found.append((node.position, f"when_same_uid_differs: {text}"))
    return [Problem.at(place, f"{what} is not available yet") for place, what in found]


def without_effect(document: Document) -> list[Problem]:
    """A warning for everything that is accepted but does nothing in this version."""
    found = []
    for section, key in (("appliance", "web"),):
        node = document.root.get(section)
        if node is not None and key in node.entries():
            place = node.entries()[key].key_position
            found.append(Problem.at(place, f"{section}.{key} is not available yet, it has no effect"))
    return found


def _in_appliance(root: Node) -> Iterator[tuple[Position, str]]:
    appliance = root.get("appliance")
    for key, entry in appliance.entries().items() if appliance is not None else ():
        if key == "storage" and entry.node.value is not None:
            yield entry.key_position, f"appliance.{key}"


def _in_nodes(root: Node) -> Iterator[tuple[Position, str]]:
    for section, kind, what in (("sources", "folder", "a source of"), ("destinations", "dicomweb", "a destination of")):
        nodes = root.get(section)
        for entry in nodes.entries().values() if nodes is not None else ():
            found = entry.node.get("type")
            if found is not None and found.value == kind:
                yield found.position, f"{what} type {kind}"
            commitment = entry.node.get("commitment")
            if commitment is not None and str(commitment.value).strip().lower() in _ON:
                yield commitment.position, "storage commitment (commitment: true)"


def _in_rules(root: Node) -> Iterator[tuple[Position, str]]:
    for section in ("normalise", "routes"):
        rules = root.get(section)
        for rule in rules.items() if rules is not None else ():
            edits = rule.get("edit")
            for edit in edits.items() if edits is not None else ():
                for name, entry in edit.entries().items():
                    if name in NOT_AVAILABLE:
                        yield entry.key_position, f"the edit {name!r}"
