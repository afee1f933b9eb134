"""What can be said of the rules without any instance. It decides nothing and compares them with no other section."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.clause import Loc
from rules.schema import BY_HAND, OTHERWISE, NormaliseRule, RouteRule, RulesSettings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth saying, and where: an error makes the rules unusable, anything else is a warning."""

    loc: Loc
    message: str
    is_error: bool


def analyse(settings: RulesSettings) -> list[Finding]:
    """Rules of one name, edits where they cannot be, and rules that can never be reached."""
    return [*_names(settings), *_for_copies(settings), *_unreachable(settings)]


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


def _unreachable(settings: RulesSettings) -> Iterator[Finding]:
    """What stands below a route that stops every instance."""
    end: str | None = None
    for index, rule in enumerate(settings.routes):
        if end is not None and not rule.disabled:
            yield Finding(
                ("routes", index),
                f"the rule {rule.name!r} is never reached: {end!r} above it stops every instance",
                False,
            )
        elif rule.stop and rule.when is None and not rule.disabled:
            end = rule.name
