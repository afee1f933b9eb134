"""How deliveries and destinations are told to people: one row a line, one a group of deliveries. It asks nothing."""

from collections import Counter
from collections.abc import Mapping

from router.cli.output import ago, table
from router.delivery import LineState, Listed, State

UNDELIVERED = tuple(state for state in State if state not in {State.DELIVERED, State.CANCELLED, State.IGNORED})


def tell_lines(lines: list[LineState]) -> None:
    """Print one row a destination."""
    rows = [
        (
            line.destination,
            _condition(line),
            *(
                line.counts.get(state, 0)
                for state in (State.WAITING, State.DUE, State.LEASED, State.PARKED, State.HELD, State.DELIVERED)
            ),
            ago(line.oldest_at),
            (line.failures and line.last_error) or "",
        )
        for line in lines
    ]
    columns = (
        "destination",
        "line",
        "waiting",
        "due",
        "sending",
        "parked",
        "held",
        "delivered",
        "oldest",
        "last error",
    )
    table(columns, rows)


def tell_deliveries(deliveries: list[Listed], studies: Mapping[int, str]) -> None:
    """Print one row for deliveries of a study to a destination that are in the same state for the same reason."""
    groups = Counter((each.study_id, each.destination, each.route, each.state, each.reason) for each in deliveries)
    rows = [
        (studies.get(study_id, "–"), destination, route, state, count, reason)
        for (study_id, destination, route, state, reason), count in groups.items()
    ]
    table(("study", "destination", "route", "state", "instances", "why"), rows)


def _condition(line: LineState) -> str:
    if not line.is_configured:
        return "not configured"
    if line.is_paused:
        return f"paused: {line.paused_reason}"
    return f"failing, {line.failures} in a row" if line.failures else "good"
