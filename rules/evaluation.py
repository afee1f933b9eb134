"""The rules of one revision, ready to decide. No clock, no disk; one instance's way through them is in walk.

What goes wrong here holds the instance: nothing is ever sent with an edit left out.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from rules.analysis import mistakes
from rules.copies import Copies
from rules.decision import Decision, Prepared, Verdict
from rules.edits import Edit, Table
from rules.errors import EditHeldError, EditRejectedError, RulesError
from rules.facts import Arrival
from rules.fingerprint import fingerprint
from rules.header import Header
from rules.matching import Matching
from rules.schema import OTHERWISE, RulesSettings
from rules.trace import Witness
from rules.walk import Walk


class Ruleset:
    """The rules of one revision of the configuration; one is shared by all threads."""

    def __init__(
        self,
        settings: RulesSettings,
        tables: Mapping[str, Table],
        *,
        system: str,
        original_attributes: bool = True,
        conceal: Callable[[str], str] = str,
        secret: bytes = b"",
        references: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        """`system` is the name in Original Attributes (0400,0561), written unless `original_attributes` is off.

        `conceal` takes secrets out of what the tests tell; `secret` is the site's, from which pseudonyms are made;
        `references` are the values that the edits of a route, by its name, take from outside the configuration.
        RulesError where two rules have one name.
        """
        for mistake in mistakes(settings):
            raise RulesError(mistake.message)
        self.settings = settings
        self._tables = dict(tables)
        self.conceal = conceal
        self._secret = secret
        self._system = system if original_attributes else None
        self._routes = {rule.name: rule for rule in settings.routes}
        self._matching = Matching(settings.rules)
        self._references = references
        self._fingerprints: dict[str, str | None] = {}
        self._copies = {rule.name: Copies(rule, self._tables, secret) for rule in settings.routes}

    def decide(
        self,
        header: Header,
        arrival: Arrival,
        by_hand: Mapping[str, str] | None = None,
        witness: Witness | None = None,
        let_by: str | None = None,
        held_by: str | None = None,
        standing: Mapping[str, str] | None = None,
    ) -> Decision:
        """What happens to an instance; `by_hand` are the corrections of a person who released it, made first.

        `let_by` is the rule whose hold the person let it by: what that or an earlier rule has to hold is not held
        again. It is None where it was corrected for that, since an earlier rule may have to hold what it is now.
        `held_by` is the rule that held it in either case: what it looks up in vain and was given by hand is kept.
        `standing` are the corrections of the whole study it belongs to, made after the rules on arrival.

        Raises no RulesError: what cannot be evaluated is held, with the name of the rule.
        """
        walk = Walk(self.settings, self._matching, self._tables, header, arrival, self._secret, witness)
        try:
            if by_hand is not None:
                walk.correct(by_hand, let_by, held_by)
            walk.normalise()
            if standing:
                walk.stand(standing)
            if self._system is not None:
                walk.record(self._system)
            walk.route()
            return walk.decision()
        except EditRejectedError as error:
            return Decision(header, (), None, (), rejected=Verdict(walk.rule, str(error)))
        except RulesError as error:
            missing = error.missing if isinstance(error, EditHeldError) else None
            return Decision(header, (), None, (), held=Verdict(walk.rule, str(error), missing))

    def correct(self, header: Header, by_hand: Mapping[str, str], at: datetime) -> Decision:
        """The archived header as a person corrects it `at` an aware time: no rule is asked. EditError if it cannot be.

        The splice is None where it says all that already.
        """
        nowhere = Arrival(None, "", "", "", at)
        walk = Walk(self.settings, self._matching, self._tables, header, nowhere, self._secret)
        walk.correct(by_hand)
        if self._system is not None:
            walk.record(self._system)
        return walk.decision()

    def edits(self, route: str) -> bool:
        """Whether the copy that a route sends is edited at all. RulesError for a route there is not."""
        return bool(self._edits(route))

    def sends(self, route: str, destination: str) -> bool:
        """Whether there is such a route, and whether it sends there."""
        if route == OTHERWISE:
            return not isinstance(self.settings.otherwise, str) and destination in self.settings.otherwise
        rule = self._routes.get(route)
        return rule is not None and not rule.disabled and destination in rule.to

    def edits_as(self, route: str, earlier: "Ruleset") -> bool:
        """Whether this route makes all edits here that it made by `earlier` rules, in their order, and maybe more.

        RulesError where either has no such route.
        """
        made, edits = earlier._edits(route), iter(self._edits(route))  # noqa: SLF001 - of this class, too
        return all(any(edit.covers(each) for edit in edits) for each in made)

    def copy_basis(self, route: str) -> tuple[object, ...]:
        """All that a route's copy comes of, but header and arrival: where two are equal, so are the copies.

        RulesError for a route there is not.
        """
        edits = self._edits(route)
        tables = [self._tables.get(name) for edit in edits for name in edit.table_names()]
        return (tuple(edits), tables, self._secret) if edits else ()

    def made_from(self, route: str) -> str | None:
        """A fingerprint of the secrets and other values from outside that a route's copies are made from.

        None where there are none. It tells whether they are others, and not what they are. RulesError for a route
        there is not.
        """
        if route not in self._fingerprints:
            edits = self._edits(route)
            own = [edit.own_secret for edit in edits if edit.own_secret is not None]
            values = dict.fromkeys([*own, *self._references.get(route, ())])
            is_of_site = any(edit.needs_secret for edit in edits)
            self._fingerprints[route] = fingerprint(values, self._secret) if values or is_of_site else None
        return self._fingerprints[route]

    def routed(self, header: Header, arrival: Arrival) -> Mapping[str, str]:
        """The route that sends an archived instance to each destination, by the destination's name. RulesError."""
        walk = Walk(self.settings, self._matching, self._tables, header, arrival, self._secret)
        walk.route()
        return {each.destination: each.route for each in walk.decision().dispatches}

    def prepare(self, route: str, header: Header, arrival: Arrival) -> Prepared:
        """The copy that a route sends, from the archived header. EditError; RulesError for a route there is not."""
        return self._copies[route].prepare(header, arrival) if self._edits(route) else Prepared((), None)

    def leaves_as(self, route: str, transfer_syntax_uid: str) -> tuple[str, ...]:
        """The transfer syntaxes a copy of this route may be in, whose instance is kept in the one given. RulesError."""
        return self._copies[route].leaves_as(transfer_syntax_uid) if self._edits(route) else (transfer_syntax_uid,)

    def _edits(self, route: str) -> Sequence[Edit]:
        """The edits of a route on its copy; RulesError for a route there is not."""
        if route == OTHERWISE:
            return ()
        rule = self._routes.get(route)
        if rule is None:
            raise RulesError(f"there is no route {route!r} in these rules")
        return rule.edit

    def is_key(self, value: str | list[str]) -> bool:
        """Whether a table has a line for this value, or one of these."""
        texts = {value} if isinstance(value, str) else set(value)
        return any(table.lookup(text) is not None for table in self._tables.values() for text in texts)

    @property
    def asks_for_filed_series(self) -> bool:
        """Whether a rule looks at the series of the study that were filed before."""
        conditions = (rule.when for rule in self.settings.rules if rule.when and not rule.disabled)
        return any(leaf.asks_for_filed_series for when in conditions for leaf in when.leaves())

    @property
    def needs_secret(self) -> bool:
        """Whether a rule makes values from the secret of the site."""
        return any(edit.needs_secret for rule in self.settings.rules if not rule.disabled for edit in rule.edit)

    @property
    def destinations(self) -> frozenset[str]:
        """The names of all destinations that a route or `otherwise` sends to."""
        otherwise = self.settings.otherwise
        named = {name for rule in self.settings.routes for name in rule.to}
        return frozenset(named if isinstance(otherwise, str) else named.union(otherwise))

    @property
    def sources(self) -> frozenset[str]:
        """The names of all sources that a condition asks for as exact text."""
        return frozenset(name for rule in self.settings.rules if rule.when for _, name in rule.when.sources())

    @property
    def tables(self) -> frozenset[str]:
        """The names of all tables that an edit looks things up in."""
        return frozenset(name for rule in self.settings.rules for edit in rule.edit for name in edit.table_names())
