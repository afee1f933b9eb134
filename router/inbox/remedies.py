"""What would fix a held instance, in plain words, by the rules as they are now. It changes nothing."""

from dataclasses import dataclass

from archive import Held
from router.config import Configuration
from router.errors import RouterError
from router.ingest.filing import NOT_FILED
from router.ingest.judgement import CUT_SHORT, STANDING_FAILED, arrival_of
from router.ingest.sorting import SAME_UID_DIFFERS
from router.part10 import part_ten
from router.reading import read_header
from rules import Decision, Missing, RulesError

OTHERWISE, BY_HAND = "otherwise", "by hand"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do, as text with commands; `missing` where a table needs a line."""

    text: str
    missing: Missing | None = None


def missing_now(held: Held, configuration: Configuration) -> Missing | None:
    """The line that a table lacks for this instance, by these rules."""
    decision = _decided(held, configuration)
    return decision.held.missing if decision and decision.held else None


def remedy(held: Held, configuration: Configuration, name: str) -> Remedy:
    """What would fix an instance that commands call by `name`."""
    fix, release, reject = (f"micropacs held {verb} {name}" for verb in ("fix", "release", "reject"))
    reject += ' --why "…"'
    if held.state == "rejected":
        return Remedy(f"nothing waits; to let it in after all: {release}")
    if held.reason == SAME_UID_DIFFERS.reason:
        uid = held.identity.sop_instance_uid
        return Remedy(
            f"compare it with the one that is kept (micropacs find --level instance SOPInstanceUID={uid}), whose place "
            f"it cannot take; have it sent again with UIDs of its own if it is wanted, then: {reject}"
        )
    if held.reason == CUT_SHORT.reason:
        return Remedy(f"have it sent again by the scanner, then: {reject}; to keep what came of it: {release}")
    if held.reason.startswith("the kept file is damaged"):
        return Remedy("put its file back from a backup, then: micropacs verify; then release it")
    if held.reason == NOT_FILED.reason:
        return Remedy(f"find the value in the log and correct it: {fix} KEYWORD=VALUE")
    if held.reason.startswith(STANDING_FAILED):
        return Remedy(
            "correct the study with a value the attribute can hold (micropacs study edit), or take its corrections "
            f"back (micropacs study undo), then: {release}; or, if it is of no use: {reject}"
        )
    if held.rule is None:
        return _without_rule(held.reason, fix, reject)
    return _by_rule(held, configuration, fix, release)


def _without_rule(reason: str, fix: str, reject: str) -> Remedy:
    keyword, _, problem = reason.partition(" is ")
    if problem in {"missing", "not a UID"}:
        return Remedy(f"give it the UID it belongs under: {fix} {keyword}=UID")
    return Remedy(f"have it sent again, and look at the scanner's export; it is of no use as it is: {reject}")


def _by_rule(held: Held, configuration: Configuration, fix: str, release: str) -> Remedy:
    name = held.rule or ""
    if name == OTHERWISE:
        return Remedy(f"write a route that matches it, or keep it and send it nowhere: {release}")
    if name == BY_HAND:
        return Remedy(
            f"correct it with a value the attribute can hold: {fix} KEYWORD=VALUE; "
            f"or forget what was corrected: {release} --as-it-came"
        )
    rules = {rule.name: rule for rule in configuration.ruleset.settings.normalise}
    rule = rules.get(name)
    if rule is not None and rule.hold is not None and not rule.disabled:
        asked = f"; ask {rule.contact}" if rule.contact else ""
        return Remedy(
            f"look at it{asked}; correct what is wrong: {fix} KEYWORD=VALUE; or let it by this rule as it is: {release}"
        )
    decision = _decided(held, configuration)
    if decision is None or not (decision.held or decision.rejected):
        return Remedy(f"the rules as they are now let it through: {release}" if decision else f"release it: {release}")
    missing = decision.held.missing if decision.held else None
    if missing is not None:
        return _missing(missing, configuration, fix)
    return Remedy(f"correct the rule {name!r}, then: {release}; or correct the instance: {fix} KEYWORD=VALUE")


def _missing(missing: Missing, configuration: Configuration, fix: str) -> Remedy:
    by_hand = f"{fix} {missing.keyword}=…"
    if not missing.key:
        return Remedy(f"{missing.keyword} is absent or empty; give it a value that the table has: {by_hand}")
    file = configuration.settings.tables[missing.table]
    return Remedy(
        f"add a line for {missing.key!r} to table {missing.table} ({file.as_posix()}): "
        f"{fix} --table {missing.table} --to …; or give this one the value it shall have: {by_hand}",
        missing,
    )


def _decided(held: Held, configuration: Configuration) -> Decision | None:
    """What the rules as they are now say of it as it is corrected so far; None if it cannot be read.

    Other series of its study are not asked.
    """
    try:
        kept = part_ten(held.path)
        header = read_header(held.path, kept.data_set_offset, kept.identity.transfer_syntax_uid)
        return configuration.ruleset.decide(header, arrival_of(held.origin, configuration.zone), held.fixes or None)
    except (OSError, RulesError, RouterError):
        return None
