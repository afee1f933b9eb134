"""Counts what was acknowledged and then lost, doubled, altered or misrouted.

It reads the senders' log, the archive's files, the receivers' folders and the database by plain SQL, and nothing of the
product's own code. What lies in the spool is not read: it is asked when the spool is empty.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.studies import digest
from tests.support.part10 import read_part10
from tests.support.servers import rows

KINDS = ("lost", "duplicated", "altered", "misrouted")
_UNDER_WAY = ("waiting", "due", "leased", "parked", "held")


@dataclass
class Verdict:
    """What was found. `found` has one (kind, SOP instance UID, words) for each breach."""

    acknowledged: int = 0
    copies: int = 0
    sent_again: int = 0
    under_way: int = 0
    held: int = 0
    found: list[tuple[str, str, str]] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """How many instances are lost, duplicated, altered or misrouted."""
        return len({uid for each, uid, _ in self.found if each == kind})

    def counts(self) -> dict[str, int]:
        """All four."""
        return {kind: self.count(kind) for kind in KINDS}

    def told(self) -> str:
        """All four in words."""
        return ", ".join(f"{count} {kind}" for kind, count in self.counts().items())


@dataclass(frozen=True)
class Content:
    """One content that was sent under a UID: its digest as sent, as the archive keeps it, and at each destination."""

    sha256: str
    bare: str
    to: Mapping[str, str]
    acknowledged: bool


def check(log: Path, data: Path, receivers: Mapping[str, Path], url: str | None = None) -> Verdict:
    """Compare. `log` is the senders', `data` the appliance's data folder, `receivers` a folder for each destination.

    `url` is the database as SQLAlchemy writes it, None for the one in the data folder.
    """
    verdict = Verdict()
    sent = read_log(log)
    url = url or f"sqlite:///file:{data / 'micropacs.db'}?mode=ro&uri=true&timeout=60"
    kept = _kept(url, data / "archive")
    held = _held(url, data / "archive")
    under_way = _under_way(url)
    copies = {name: _copies(folder) for name, folder in receivers.items()}
    verdict.held = sum(map(len, held.values()))
    chosen = {uid: _check_kept(verdict, uid, contents, kept, held) for uid, contents in sent.items()}
    for uid in kept.keys() | held.keys():
        if uid not in sent:
            verdict.found.append(("altered", uid, "nobody sent it"))
    for name, there in copies.items():
        _check_copies(verdict, name, there, chosen)
        _check_missing(verdict, name, there, chosen, under_way)
    return verdict


def sound(
    log: Path,
    data: Path,
    receivers: Mapping[str, Path],
    acknowledged: int,
    *,
    url: str | None = None,
    strangers: Collection[str] = (),
) -> Verdict:
    """The same, and so many were acknowledged, nothing is wrong with them, and nothing is under way.

    `strangers` are SOP instance UIDs that nobody sent and that may be in the index.
    """
    verdict = check(log, data, receivers, url)
    assert [each for each in verdict.found if each[1] not in strangers] == []
    assert verdict.under_way == 0
    assert verdict.acknowledged == acknowledged
    return verdict


def read_log(log: Path) -> dict[str, list[Content]]:
    """What was sent under each UID, in the order of the first acknowledgement; a last line that is cut is left out."""
    first: dict[tuple[str, str], Content] = {}
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            key = (told["uid"], told["sha256"])
            if key in first and first[key].acknowledged:
                continue
            first.pop(key, None)
            first[key] = Content(told["sha256"], told["bare"], told["to"], told["answer"] == 0)
    sent = defaultdict(list)
    for (uid, _), content in first.items():
        sent[uid].append(content)
    return {uid: sorted(contents, key=lambda each: not each.acknowledged) for uid, contents in sent.items()}


def _check_kept(
    verdict: Verdict,
    uid: str,
    contents: list[Content],
    kept: Mapping[str, list[str]],
    held: Mapping[str, list[str]],
) -> Content:
    """Each acknowledged content is in the index or in hold; gives the one that is in the index, or should be."""
    indexed = kept.get(uid, [])
    acknowledged = [each for each in contents if each.acknowledged]
    verdict.acknowledged += len(acknowledged)
    if len(indexed) > 1:
        verdict.found.append(("duplicated", uid, f"{len(indexed)} rows in the index"))
    strange = set(indexed) - {"", *(content.bare for content in contents)}
    strange |= set(held.get(uid, [])) - {content.sha256 for content in contents}
    verdict.found += [("altered", uid, "what is archived or held is not what was sent")] * len(strange)
    for number, content in enumerate(acknowledged):
        if content.bare in indexed:
            continue
        if content.sha256 not in held.get(uid, []):
            if len(strange) <= number:  # what is altered beyond recognition is not lost as well
                verdict.found.append(("lost", uid, "acknowledged, neither archived nor held"))
        elif number == 0 and indexed:
            verdict.found.append(("altered", uid, "another content than the first acknowledged one is archived"))
    return next((each for each in contents if each.bare in indexed), contents[0])


def _check_copies(
    verdict: Verdict, name: str, there: Mapping[str, Counter[str]], chosen: Mapping[str, Content]
) -> None:
    """Every copy at a receiver is meant for it, and is what the rules make of the instance."""
    for uid, digests in there.items():
        verdict.copies += digests.total()
        content = chosen.get(uid)
        if content is None:
            verdict.found.append(("altered", uid, f"{name} has an instance that nobody sent"))
            continue
        if name not in content.to:
            verdict.found.append(("misrouted", uid, f"it is at {name}"))
            continue
        expected = content.to[name]
        verdict.sent_again += max(0, digests[expected] - 1)
        for each in digests.keys() - {expected}:
            unedited = each in {content.bare, content.sha256}
            what = "misrouted" if unedited else "altered"
            verdict.found.append((what, uid, f"{name} has it {'without its edit' if unedited else 'altered'}"))


def _check_missing(
    verdict: Verdict,
    name: str,
    there: Mapping[str, Counter[str]],
    chosen: Mapping[str, Content],
    under_way: set[tuple[str, str]],
) -> None:
    """Every acknowledged instance is at each of its destinations, or on its way there for all to see."""
    for uid, content in chosen.items():
        if name in content.to and uid not in there and content.acknowledged:
            if (uid, name) in under_way:
                verdict.under_way += 1
            elif not any(kind == "lost" and of == uid for kind, of, _ in verdict.found):
                verdict.found.append(("lost", uid, f"{name} never got it, and it is not on its way"))


def _kept(url: str, archive: Path) -> dict[str, list[str]]:
    """The digests of the archive's files by UID, one for each row; "" where there is no readable file."""
    kept = defaultdict(list)
    for uid, file in rows(url, "select sop_instance_uid, file from instances"):
        kept[uid].append(_digest(archive / file, uid))
    return kept


def _held(url: str, archive: Path) -> dict[str, list[str]]:
    """The digests of the files in hold by UID."""
    held = defaultdict(list)
    for uid, file in rows(url, "select sop_instance_uid, file from held where state = 'held'"):
        held[uid].append(_digest(archive / file, uid))
    return {uid: [each for each in digests if each] for uid, digests in held.items()}


def _digest(path: Path, uid: str) -> str:
    """The digest of a file's data set; "" if there is none, or if the file is that of another instance."""
    part = read_part10(path) if path.is_file() else None
    return digest(part.data_set) if part is not None and part.sop_instance_uid == uid else ""


def _under_way(url: str) -> set[tuple[str, str]]:
    query = "select sop_instance_uid, destination, state from deliveries join instances on instances.id = instance_id"
    return {(uid, destination) for uid, destination, state in rows(url, query) if state in _UNDER_WAY}


def _copies(folder: Path) -> dict[str, Counter[str]]:
    """How often each content of each UID came, from Part 10 files and from ledgers of one JSON line a copy."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for uid, sha256 in _all_copies(folder):
        found[uid][sha256] += 1
    return found


def _all_copies(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.iterdir()):
        if path.suffix == ".jsonl":
            with path.open(encoding="utf-8") as lines:
                for copy in map(json.loads, lines):
                    yield copy["uid"], copy["sha256"]
        elif part := read_part10(path):
            yield part.sop_instance_uid, digest(part.data_set)
