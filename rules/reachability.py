"""Rules that no instance ever gets to: contradictory in themselves, or behind a `stop`. It looks at no edit."""

from collections.abc import Iterator, Sequence

from rules.clause import Clause, Loc
from rules.finding import Finding
from rules.possibility import Sender, contradicted, possible
from rules.schema import RouteRule, RulesSettings

Senders = Sequence[Sender] | None


def unreachable(settings: RulesSettings, senders: Senders) -> Iterator[Finding]:
    """Rules that never match, routes that are never come to, and an `otherwise` that nothing is left for."""
    for section, rules in (("normalise", settings.normalise), ("routes", settings.routes)):
        for index, rule in enumerate(rules):
            if rule.when is not None and not rule.disabled:
                yield from _contradictory(rule.name, rule.when, (section, index), senders)
    yield from _stopped(settings.routes, senders)
    yield from _left_over(settings, senders)


def _contradictory(name: str, when: Clause, loc: Loc, senders: Senders) -> Iterator[Finding]:
    """A condition that contradicts itself, or that no configured source can satisfy."""
    never = f"the rule {name!r} can never match: "
    if said := contradicted(when):
        yield Finding((*loc, "when"), f"{never}{_listed(said)} exclude each other")
    elif said := contradicted(when, senders):
        yield Finding((*loc, "when"), f"{never}no source sends with {_listed(said)}")


def _stopped(routes: Sequence[RouteRule], senders: Senders) -> Iterator[Finding]:
    """What stands below routes that stop every instance it would be for."""
    stops: list[RouteRule] = []
    for index, rule in enumerate(routes):
        if rule.disabled:
            continue
        is_met = possible([(rule.when, True)], senders)
        if stops and is_met and (said := _why_not_reached(rule, stops, senders)):
            yield Finding(("routes", index), f"the rule {rule.name!r} is never reached: {said}")
        elif rule.stop and is_met:
            stops.append(rule)


def _why_not_reached(rule: RouteRule, stops: Sequence[RouteRule], senders: Senders) -> str | None:
    for stop in stops:
        if not possible([(rule.when, True), (stop.when, False)], senders):
            what = "every instance" if stop.when is None else "every instance it is for"
            return f"{stop.name!r} above it stops {what}"
    if len(stops) > 1 and not possible([(rule.when, True), *((stop.when, False) for stop in stops)], senders):
        return f"{_listed([repr(stop.name) for stop in stops])} above it together stop every instance it is for"
    return None


def _left_over(settings: RulesSettings, senders: Senders) -> Iterator[Finding]:
    """An `otherwise` that is written down, and that some routes leave nothing for."""
    if "otherwise" not in settings.model_fields_set or settings.otherwise == "archive":
        return
    routes = [rule for rule in settings.routes if not rule.disabled]
    for rule in routes:
        if not possible([(rule.when, False)], senders):
            yield Finding(("otherwise",), f"otherwise is never reached: the route {rule.name!r} takes every instance")
            return
    if not possible([(rule.when, False) for rule in routes], senders):
        names = _listed([repr(rule.name) for rule in routes])
        yield Finding(("otherwise",), f"otherwise is never reached: the routes {names} together take every instance")


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
