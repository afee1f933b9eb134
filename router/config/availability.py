"""What the schema knows but this version, or this machine, cannot do: refused by name. Checks nothing else."""

from collections.abc import Iterator

from router.pixels import INSTALL, can_write
from rules import TARGETS, Document, Node, Position, Problem

_ON = ("true", "yes", "on")


def unavailable(document: Document) -> list[Problem]:
    """A problem for everything asked for that this version does not do."""
    found = [*_in_appliance(document.root), *_in_nodes(document.root)]
    differs = document.root.get("archive", "when_same_uid_differs")
    for text, node in differs.texts() if differs is not None else ():
        if text.strip().lower() != "keep-first":
            found.append((node.position, f"when_same_uid_differs: {text}"))
    return [Problem.at(place, f"{what} is not available yet") for place, what in found] + _not_installed(document.root)


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


def _not_installed(root: Node) -> list[Problem]:
    """Transfer syntaxes that routes ask for and that nothing here can write."""
    routes = root.get("routes")
    edits = [rule.get("edit") for rule in (routes.items() if routes is not None else ())]
    asked = [edit.get("transcode") for each in edits if each is not None for edit in each.items()]
    problems = []
    for text, node in (found for each in asked if each is not None for found in each.texts()):
        if not can_write(TARGETS.get(text.strip().lower(), text.strip())):
            message = f"what writes transcode: {text} is not installed: {INSTALL}"
            problems.append(Problem.at(node.position, message))
    return problems
