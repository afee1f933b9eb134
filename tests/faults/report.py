"""The one table of the headline run. Measures nothing."""

import os
import platform

from tests.faults.bounds import upper_bound
from tests.faults.checker import KINDS
from tests.faults.headline import Result


def table(result: Result) -> str:
    """What was done, what was found, and how sure that is."""
    verdict = result.verdict
    lines = [
        f"seed {result.seed}, {result.seconds:.0f} s, {os.cpu_count()} cores, {platform.system()}",
        f"{'studies':<34}{result.studies:>9}",
        f"{'instances acknowledged':<34}{verdict.acknowledged:>9}",
        f"{'  of these in hold':<34}{verdict.held:>9}",
        f"{'disk used, MB':<34}{result.disk / 1e6:>9.1f}",
        f"{'copies at receivers':<34}{verdict.copies:>9}",
        f"{'  of these sent again':<34}{verdict.sent_again:>9}",
        *(f"{kind:<34}{times:>9}" for kind, times in sorted(result.faults.items())),
    ]
    bound = "95 % upper bound, of instances and of studies"
    lines.append(f"{'':<43}  {bound}")
    for kind in KINDS:
        count = verdict.count(kind)
        of_instances, of_studies = (upper_bound(count, n) for n in (verdict.acknowledged, result.studies))
        lines.append(f"{kind:<34}{count:>9}  {of_instances:.4%} {of_studies:.4%}")
    rest = {
        "never acknowledged": result.unacknowledged,
        "left under way": result.left + verdict.under_way,
        "errors of the run": len(result.errors),
    }
    lines += [f"{name:<34}{count:>9}" for name, count in rest.items() if count]
    lines += [f"  {kind}: {uid}: {words}" for kind, uid, words in verdict.found[:20]]
    lines += [f"  {error}" for error in result.errors[:20]]
    return "\n".join(lines)
