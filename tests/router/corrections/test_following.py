"""After a correction: who has an older version is known, and is sent the one of now, never a mixture."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from xxhash import xxh3_128

from router.delivery import Holder, State
from router.delivery.packing import Packer
from router.delivery.tables import deliveries
from router.folder import FolderSender
from router.pixels import Workshop
from tests.support.corrected import Site
from tests.support.deliveries import LATER, settlement


def states(site: Site) -> dict[int, tuple[State, bool]]:
    """State of every delivery of the study by its instance, and whether it is of an older version."""
    listed = site.queue.listing(study_id=site.study_id())
    return {each.instance_id: (each.state, each.is_outdated) for each in listed}


def edit(site: Site, text: str, *, resend: bool = False) -> dict[str, int]:
    """Correct the study."""
    return dict(site.corrector.edit(site.study_id(), {"PatientID": text}, resend=resend).resent)


def test_what_was_delivered_is_of_an_older_version_until_it_is_sent_again(site: Site) -> None:
    """A destination that has the old version is named; sent again by the same route and revision it is not any more."""
    site.arrive(1, 2)
    assert site.queue.holders(site.study_id()) == []
    first = site.deliver()
    edit(site, "0042")
    assert site.queue.holders(site.study_id()) == [Holder("disk", 2, True)]
    assert edit(site, "0042", resend=True) == {"disk": 2}
    assert set(states(site).values()) == {(State.DUE, False)}
    again = site.lease()
    assert [(each.route, each.revision, each.replaces) for each in again] == [
        (each.route, each.revision, True) for each in first
    ]
    site.settle(again)
    assert site.queue.holders(site.study_id()) == []
    assert set(states(site).values()) == {(State.DELIVERED, False)}
    kinds = [event["kind"] for event in site.appliance.journal.of_study(site.study_id())]
    assert kinds == ["filed", "edited", "resent"]


def test_what_is_on_the_wire_is_finished_and_then_due_again(site: Site) -> None:
    """A leased delivery goes out as it was leased; with `resend` its answer makes it due once more, and only once."""
    site.arrive(1)
    leased = site.lease()
    edit(site, "0042", resend=True)
    assert list(states(site).values()) == [(State.LEASED, True)]
    assert site.lease() == []
    site.settle(leased)
    assert list(states(site).values()) == [(State.DUE, True)]
    site.deliver()
    assert list(states(site).values()) == [(State.DELIVERED, False)]


def test_what_failed_on_the_wire_is_sent_once_as_it_is_now(site: Site) -> None:
    """An attempt with the old version that came to nothing is tried again with the new one, and then done."""
    site.arrive(1)
    [leased] = site.lease()
    edit(site, "0042", resend=True)
    site.queue.settle([settlement(leased, LATER, datetime.now(UTC) - timedelta(seconds=5))])
    site.deliver()
    assert list(states(site).values()) == [(State.DELIVERED, False)]


def test_what_is_not_asked_for_is_not_sent_again(site: Site) -> None:
    """Without `resend` a delivery on the wire ends as delivered, and its destination has an older version."""
    site.arrive(1)
    leased = site.lease()
    edit(site, "0042")
    site.settle(leased)
    assert list(states(site).values()) == [(State.DELIVERED, True)]
    assert site.queue.holders(site.study_id()) == [Holder("disk", 1, True)]


def test_what_was_folded_into_a_receipt_is_sent_again(site: Site) -> None:
    """Deliveries of long ago, of which only the receipt is left, are followed up as well."""
    site.arrive(1, 2)
    first = site.deliver()
    assert site.queue.fold(datetime.now(UTC) + timedelta(seconds=5)) == 2
    edit(site, "0042")
    assert site.queue.holders(site.study_id()) == [Holder("disk", 2, True)]
    assert dict(site.corrector.resend(site.study_id())) == {"disk": 2}
    assert site.queue.holders(site.study_id()) == []
    assert dict(site.corrector.resend(site.study_id())) == {}
    again = site.deliver()
    assert [(each.instance_id, each.route, each.revision) for each in again] == [
        (each.instance_id, each.route, each.revision) for each in first
    ]


def test_a_destination_that_is_gone_is_told_and_left_alone(site: Site) -> None:
    """A destination that the configuration does not name any more is listed as such, and sent nothing."""
    site.arrive(1)
    site.deliver()
    site.queue.configure(["station"])
    assert edit(site, "0042", resend=True) == {}
    assert site.queue.holders(site.study_id()) == [Holder("disk", 1, False)]


def test_a_shipment_made_before_is_whole_after(site: Site) -> None:
    """What was packed before the correction leaves with the old bytes only; what is packed after it with the new."""
    site.arrive(1)
    packer = Packer(site.archive, site.appliance.revisions.ruleset, None, Workshop())
    leased = site.lease()
    stored = packer.stored(leased)[leased[0].instance_id]
    [old] = site.kept()
    shipment = packer.pack(leased[0], stored)
    edit(site, "0042", resend=True)
    [new] = site.kept()
    sender = FolderSender(site.file.parent / "out")
    [(sent, outcome)] = sender.send([], iter([shipment]))  # type: ignore[list-item]
    assert (sent.digest, outcome.kind) == (old.digest, "delivered")
    site.settle(leased)

    [again] = site.lease()
    shipment = packer.pack(again, packer.stored([again])[again.instance_id])
    [(sent, outcome)] = sender.send([], iter([shipment]))  # type: ignore[list-item]
    assert (sent.digest, outcome.kind) == (new.digest, "delivered")
    [path] = (site.file.parent / "out").rglob("*.dcm")
    assert path.read_bytes().endswith(site.content(new))


def test_a_digest_that_was_left_for_later_is_entered_before_the_correction(site: Site) -> None:
    """What was sent is digested while the archive still has it; what is kept from then on is another version."""
    site.arrive(1)
    site.deliver()
    [old] = site.kept()
    check = xxh3_128(site.content(old)).hexdigest()
    with site.appliance.database.begin() as connection:
        connection.execute(sa.update(deliveries).values(digest_sent=None, check_sent=check))
    edit(site, "0042")
    with site.appliance.database.read() as connection:
        [row] = connection.execute(sa.select(deliveries)).all()
    assert site.kept() != [old]
    assert (row.digest_sent, row.check_sent, row.outdated) == (old.digest, None, True)
