"""What can be said of the rules without any instance. It decides nothing and compares them with no other section."""

from collections.abc import Iterator, Sequence

from rules.clause import Loc
from rules.collisions import collisions
from rules.finding import Finding
from rules.possibility import Sender
from rules.reachability import unreachable
from rules.schema import BY_HAND, OTHERWISE, NormaliseRule, RouteRule, RulesSettings


def analyse(settings: RulesSettings, senders: Sequence[Sender] | None = None) -> list[Finding]:
    """What makes the rules unusable, and what they say in vain or against each other.

    `senders` are all who may send; None: anybody.
    """
    return [*mistakes(settings), *unreachable(settings, senders), *collisions(settings, senders)]


def mistakes(settings: RulesSettings) -> list[Finding]:
    """What makes the rules unusable: rules of one name, and edits where they cannot be."""
    return [*_names(settings), *_for_copies(settings)]


def _rules(settings: RulesSettings) -> Iterator[tuple[Loc, NormaliseRule | RouteRule]]:
    """Every rule with its place."""
    for index, normalise in enumerate(settings.normalise):
        yield ("normalise", index), normalise
    for index, route in enumerate(settings.routes):
        yield ("routes", index), route


def _names(settings: RulesSettings) -> Iterator[Finding]:
    """A rule is known by its name: in the queue, in the database, to people."""
    seen: set[str] = set()
    for loc, rule in _rules(settings):
        if rule.name in {BY_HAND, OTHERWISE}:
            yield Finding((*loc, "name"), f"the name {rule.name!r} is taken by the appliance itself", True)
        elif rule.name in seen:
            yield Finding((*loc, "name"), f"two rules are named {rule.name!r}", True)
        seen.add(rule.name)


def _for_copies(settings: RulesSettings) -> Iterator[Finding]:
    """The archive keeps what came: an edit that makes another instance of it belongs into a route."""
    for index, rule in enumerate(settings.normalise):
        for number, edit in enumerate(rule.edit):
            if edit.is_for_copies:
                message = "this edit belongs into a route: the archive keeps the instance that came, not another one"
                yield Finding(("normalise", index, "edit", number), message, True)
