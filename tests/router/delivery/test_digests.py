"""Digests of edited copies: left for later while they are sent, entered before they are folded, and true."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from router.delivery import State
from router.delivery.tables import deliveries, receipts
from router.senders import summing
from tests.support.departures import CT, EXPLICIT, IMPLICIT, PIXELS, QUICK, Departures
from tests.support.scripted import Script, scripted

EDITED = "routes: [{name: all, edit: [set: {PatientID: '0042'}], to: [pacs]}]"


@pytest.fixture(params=[EXPLICIT, IMPLICIT], ids=["as it is", "converted"])
def script(request: pytest.FixtureRequest) -> Script:
    """What the destination does, and got; it takes one transfer syntax."""
    return Script(syntaxes=[request.param])


@pytest.fixture
def departures(tmp_path: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[Departures]:
    """A route with an edit; all that it sends counts as long."""
    monkeypatch.setattr(summing, "DIGESTED_BYTES", 0)
    with scripted(script, [CT]) as port:
        yaml = f"destinations: {{pacs: {{ae_title: PACS, host: 127.0.0.1, port: {port}, {QUICK}}}}}\n{EDITED}"
        found = Departures(tmp_path / "site", yaml)
        yield found
        found.close()


def _sent(departures: Departures, count: int) -> Mapping[int, sa.Row[tuple[str | None, str | None]]]:
    """Instances kept and sent; digest and check of each, by its id."""
    kept = departures.keep(count)
    departures.enqueue(kept, "pacs")
    with departures.sending():
        departures.wait_for(State.DELIVERED)
    return _sums(departures)


def _sums(departures: Departures) -> Mapping[int, sa.Row[tuple[str | None, str | None]]]:
    query = sa.select(deliveries.c.digest_sent, deliveries.c.check_sent, deliveries.c.instance_id)
    with departures.database.read() as connection:
        return {row.instance_id: row for row in connection.execute(query)}


def _arrived(script: Script) -> list[bytes]:
    """The data sets the destination got, in the order of their instances."""
    return [script.stored[uid] for uid in sorted(script.stored)]


def _folded(departures: Departures) -> list[Mapping[str, object]]:
    """The receipt, after everything was folded."""
    departures.queue.fold(datetime.now(UTC) + timedelta(seconds=1), departures.digests.complete)
    with departures.database.read() as connection:
        [receipt] = connection.execute(sa.select(receipts)).all()
    return list(receipt.detail)


def test_the_digest_is_that_of_what_the_destination_has(departures: Departures, script: Script) -> None:
    """Nothing is digested while it is sent; the receipt has the digest of the bytes that arrived, converted or not."""
    sent = _sent(departures, 3)
    assert all(row.digest_sent is None and row.check_sent is not None for row in sent.values())
    detail = _folded(departures)
    assert [each["digest"] for each in detail] == [hashlib.sha256(each).hexdigest() for each in _arrived(script)]
    assert len(_arrived(script)) == 3
    assert all(b"0042" in each for each in _arrived(script))
    assert not any("check" in each for each in detail)


def test_a_copy_that_cannot_be_made_again_keeps_its_check(departures: Departures, script: Script) -> None:
    """Where rules or files are others by then no digest is entered, least of all that of another copy."""
    sent = _sent(departures, 3)
    first, second, third = sorted(sent)
    stored = departures.archive.stored([first, second])
    stored[first].path.unlink()
    content = bytearray(stored[second].path.read_bytes())
    content[-1] ^= 1
    stored[second].path.write_bytes(content)
    detail = {each["instance_id"]: each for each in _folded(departures)}
    assert [detail[one].get("check") for one in (first, second)] == [sent[one].check_sent for one in (first, second)]
    assert not any("digest" in detail[one] for one in (first, second))
    assert detail[third]["digest"] == hashlib.sha256(_arrived(script)[2]).hexdigest()


def test_other_rules_make_another_copy(departures: Departures) -> None:
    """The copy of rules that have changed is not the one that was sent."""
    sent = _sent(departures, 1)
    text = (departures.folder / "micropacs.yaml").read_text(encoding="utf-8").partition("\n")[2]
    departures.configure(text.replace("0042", "0043"))
    departures.digests.complete(1)
    assert _sums(departures) == sent


def test_what_is_short_is_digested_while_it_is_sent(
    departures: Departures, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs less than making it again."""
    monkeypatch.setattr(summing, "DIGESTED_BYTES", len(PIXELS) + 1000)
    departures.enqueue(departures.keep(1), "pacs")
    with departures.sending():
        departures.wait_for(State.DELIVERED)
    [row] = _sums(departures).values()
    assert (row.digest_sent, row.check_sent) == (hashlib.sha256(_arrived(script)[0]).hexdigest(), None)


def test_a_file_that_is_gone_stops_nothing(departures: Departures, script: Script) -> None:
    """Without edits it is only opened to be digested, and that it is gone is no reason to fold nothing."""
    text = (departures.folder / "micropacs.yaml").read_text(encoding="utf-8").partition("\n")[2]
    departures.configure(text.replace("edit: [set: {PatientID: '0042'}], ", ""))
    sent = _sent(departures, 1)
    [row] = sent.values()
    is_converted = script.syntaxes == [IMPLICIT]
    assert (row.check_sent is not None, row.digest_sent is None) == (is_converted, is_converted)
    departures.archive.stored(sorted(sent))[row.instance_id].path.unlink()
    [detail] = _folded(departures)
    assert (detail.get("check"), detail.get("digest")) == (row.check_sent, row.digest_sent)
