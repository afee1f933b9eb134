"""Whether a held delivery may go by the rules in force instead of those that decided it. It changes nothing.

Its route has to be there and to send there still, with every edit that it had: a copy that was to leave without names
never leaves with them because a rule was rewritten meanwhile.
"""

from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from router.errors import RouterError
from rules import RulesError, Ruleset

FEWER_EDITS = (
    "in the configuration in force the route {!r} lacks an edit that it had when this was decided, or makes it in "
    "another way"
)
UNKNOWN_EDITS = "the configuration that decided this cannot be read any more, so its edits cannot be compared"
_ANYWAY = "; if those in force are meant: micropacs queue retry --under current"


class InForce:
    """The rules of the `revision` in force, compared with those of any other, which `rulesets` gives.

    Where `as_they_are`, a person has said that the edits in force are meant, whatever they were.
    """

    def __init__(self, revision: str, rulesets: Callable[[str], Ruleset], *, as_they_are: bool = False) -> None:
        self.revision = revision
        self._rulesets = rulesets
        self._as_they_are = as_they_are

    def objection(self, revision: str, route: str, destination: str) -> str | None:
        """Why what `revision` decided has to stay held; None if it may go by the rules in force."""
        if revision == self.revision:
            return None
        rules = self._rulesets(self.revision)
        if not rules.sends(route, destination):
            return f"in the configuration in force no route {route!r} sends to {destination}"
        if self._as_they_are:
            return None
        try:
            keeps = rules.edits_as(route, self._rulesets(revision))
        except SQLAlchemyError:
            raise
        except (RulesError, RouterError):
            return UNKNOWN_EDITS + _ANYWAY
        return None if keeps else FEWER_EDITS.format(route) + _ANYWAY
