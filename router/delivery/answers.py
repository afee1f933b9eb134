"""What the answer to one delivery means for it: delivered, tried later and when, or given up. It enters nothing."""

from dataclasses import replace
from datetime import datetime

from router.delivery.backoff import UNKNOWN_STATUS_ATTEMPTS, Retry, reason_to_give_up, wait_seconds
from router.delivery.delivery import Leased, Settlement
from router.delivery.outcomes import Kind, Outcome
from router.delivery.sender import Shipment


def settlement_of(
    leased: Leased, outcome: Outcome, retry: Retry, now: datetime, seconds: float, shipment: Shipment | None
) -> Settlement:
    """The settlement of a delivery answered `now`, after `seconds`; `shipment` as it was sent, None if it was not."""
    attempts = leased.attempts + 1
    wait = 0.0
    if outcome.kind is Kind.LATER:
        why = reason_to_give_up(retry, attempts + leased.line_failures, leased.due_since, now)
        if outcome.is_unknown and attempts >= UNKNOWN_STATUS_ATTEMPTS:
            why = f"gave up after {attempts} attempts"
        if why:
            outcome = replace(outcome, kind=Kind.PARKED, reason=f"{why}: {outcome.reason}")
        else:
            wait = wait_seconds(retry, attempts)
    return Settlement(
        leased.delivery_id,
        leased.token,
        outcome,
        now,
        seconds,
        digest=shipment.digest if shipment else None,
        size=shipment.size if shipment else None,
        wait_seconds=wait,
        check=shipment.check if shipment else None,
    )
