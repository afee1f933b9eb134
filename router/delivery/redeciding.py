"""Whether a held delivery may go by the rules in force instead of those that decided it. It changes nothing.

Its route has to be there and to send its instance there still, with every edit that it had and from the same secrets: a
copy that was to leave without names never leaves with them because a rule was rewritten meanwhile, and a study that has
left in part under one pseudonym does not go on under another.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from router.errors import RouterError
from rules import RulesError, Ruleset

FEWER_EDITS = (
    "in the configuration in force the route {!r} lacks an edit that it had when this was decided, or makes it in "
    "another way"
)
UNKNOWN_EDITS = "the configuration that decided this cannot be read any more, so its edits cannot be compared"
NOT_ROUTED = (
    "in the configuration in force the route {!r} does not send this instance to {} any more; if that is right: "
    "micropacs queue cancel; by the rules that decided it: micropacs queue retry --under filed"
)
UNREADABLE = "it cannot be read, so nobody knows whether the route {!r} would send it to {} still"
_ANYWAY = "; if those in force are meant: micropacs queue retry --under current"
OTHER_SECRET = (
    "its copy was to be made from another secret, or another value from outside the configuration, than there is now: "
    "put that back, then: micropacs queue retry" + _ANYWAY
)

Routed = Callable[[Collection[int]], Mapping[int, Mapping[str, str] | None]]


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """A held delivery, as far as it matters by which rules it goes."""

    delivery_id: int
    instance_id: int
    revision: str
    route: str
    destination: str
    made_from: str | None


class InForce:
    """The rules of the `revision` in force, compared with those of any other, which `rulesets` gives.

    `routed` tells by which of its routes the instances of some ids go to each destination, None for one that cannot be
    read. Where `as_they_are`, a person has said that the edits and secrets in force are meant, whatever they were.
    """

    def __init__(
        self, revision: str, rulesets: Callable[[str], Ruleset], routed: Routed, *, as_they_are: bool = False
    ) -> None:
        self.revision = revision
        self._rulesets = rulesets
        self._routed = routed
        self._as_they_are = as_they_are

    def made_from(self, route: str) -> str | None:
        """The fingerprint of the secrets that this route's copies are made from by the rules in force."""
        return self._rulesets(self.revision).made_from(route)

    def objections(self, held: Sequence[HeldDelivery]) -> Mapping[int, str | None]:
        """Why each has to stay held, by the delivery's id; None if it may go by the rules in force."""
        groups = {_group(each): each for each in held}
        of_group = {group: self._objection(each) for group, each in groups.items()}
        found = {each.delivery_id: of_group[_group(each)] for each in held}
        asked = [each for each in held if found[each.delivery_id] is None and each.revision != self.revision]
        routed = self._routed({each.instance_id for each in asked}) if asked else {}
        for each in asked:
            routes = routed.get(each.instance_id)
            if routes is None:
                found[each.delivery_id] = UNREADABLE.format(each.route, each.destination)
            elif routes.get(each.destination) != each.route:
                found[each.delivery_id] = NOT_ROUTED.format(each.route, each.destination)
        return found

    def _objection(self, held: HeldDelivery) -> str | None:
        """Why none of a group may go, whatever its instance."""
        rules = self._rulesets(self.revision)
        if held.revision != self.revision and not rules.sends(held.route, held.destination):
            return f"in the configuration in force no route {held.route!r} sends to {held.destination}"
        if self._as_they_are:
            return None
        if held.revision != self.revision:
            try:
                keeps = rules.edits_as(held.route, self._rulesets(held.revision))
            except SQLAlchemyError:
                raise
            except (RulesError, RouterError):
                return UNKNOWN_EDITS + _ANYWAY
            if not keeps:
                return FEWER_EDITS.format(held.route) + _ANYWAY
        return OTHER_SECRET if held.made_from not in {None, rules.made_from(held.route)} else None


def _group(held: HeldDelivery) -> tuple[str, str, str, str | None]:
    return held.revision, held.route, held.destination, held.made_from
