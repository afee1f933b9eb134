"""A tally as rows and as plain data. Prints nothing; values of headers are in it only where they are asked for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice

from router.replay.tally import Deed, Seen, Sent, Tally

WORDS = {
    "also": "would also go to",
    "no longer": "would no longer go to",
    "more": "would go with more instances to",
    "fewer": "would go with fewer instances to",
}


@dataclass(slots=True)
class Move:
    """Studies that would go another way to one destination, and how many of their instances; `change` is of WORDS."""

    destination: str
    change: str
    instances: int = 0
    studies: list[str] = field(default_factory=list)


def moves(tally: Tally) -> list[Move]:
    """Where studies would go that do not now, and the other way round."""
    found: dict[tuple[str, str], Move] = {}
    for uid, study in tally.studies.items():
        for destination, sent in study.to.items():
            for change, instances in _changes(sent):
                move = found.setdefault((destination, change), Move(destination, change))
                move.instances += instances
                move.studies.append(uid)
    return [found[key] for key in sorted(found)]


def _changes(sent: Sent) -> Iterator[tuple[str, int]]:
    if sent.gained:
        yield ("more" if sent.before else "also"), sent.gained
    if sent.lost:
        yield ("fewer" if sent.after else "no longer"), sent.lost


def as_plain(tally: Tally, *, values: bool) -> dict[str, object]:
    """All of it for programs; without `values` no value of any header."""
    return {
        "ok": tally.is_same,
        "studies": len(tally.studies),
        "instances": tally.instances,
        "in_hold": tally.in_hold,
        "refused_by_both": tally.refused_by_both,
        "routing": [_move(each, tally.most) for each in moves(tally)],
        "timing": [{"destination": key, **_seen(seen, values=True)} for key, seen in sorted(tally.timing.items())],
        "headers": [
            {"at": where or None, "attribute": attribute, **_seen(seen, values=values)}
            for (where, attribute), seen in sorted(tally.headers.items())
        ],
        "gained": _deeds(tally.gained, tally.most),
        "lost": _deeds(tally.lost, tally.most),
        "not_replayed": [{**asdict(each), "file": str(each.file)} for each in tally.unread],
        "by_study": [{"study": uid, **asdict(study)} for uid, study in tally.studies.items() if study.differing],
    }


def _move(move: Move, most: int) -> dict[str, object]:
    counts = {"studies": len(move.studies), "instances": move.instances}
    return {"destination": move.destination, "change": move.change, **counts, "examples": move.studies[:most]}


def _seen(seen: Seen, *, values: bool) -> dict[str, object]:
    counts = {"instances": seen.instances, "studies": len(seen.studies)}
    if not values:
        return dict(counts)
    examples = [{"old": old, "new": new, "instances": count} for (old, new), count in seen.pairs.items()]
    return {**counts, "examples": examples}


def _deeds(deeds: Mapping[Deed, Seen], most: int) -> list[dict[str, object]]:
    return [
        {
            "what": str(deed.kind),
            "at": deed.destination or None,
            "rule": deed.rule or None,
            "reason": deed.reason,
            "instances": seen.instances,
            "studies": len(seen.studies),
            "examples": first(seen.studies, most),
        }
        for deed, seen in sorted(deeds.items())
    ]


def first(studies: Iterable[str], most: int) -> list[str]:
    """The first few of them, in the order of their UIDs."""
    return list(islice(sorted(studies), most))
