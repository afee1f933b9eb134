"""The copies one route sends: its edits made on a draft, or made again as on an instance before. It decides no route.

The elements that edits name are mostly the same in all instances of a study. Where they are, so is what comes of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from rules.attribute import PIXEL_TAGS, SPECIFIC_CHARACTER_SET, Attribute
from rules.decision import Change, Prepared
from rules.draft import Draft
from rules.edits import Edit, EditContext, Table
from rules.edits.pixels import BlankPixelsEdit, TranscodeEdit
from rules.errors import EditHeldError
from rules.facts import Arrival, Readable
from rules.header import Header
from rules.level import Level
from rules.pixels import PixelWork, leaves_as
from rules.schema import RouteRule
from rules.splicing import edited, splice_of
from rules.walk import apply

_MOST_MADE = 64
_LONGEST_KEY = 8192  # bytes
_FIRST_GROUP = 0x0008  # of a data set
_SOP_INSTANCE_UID = Attribute.parse("SOPInstanceUID")

_Key = tuple[object, ...]
_Extent = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Made:
    """What came of the edits: the changes, and the new bytes of each element they replaced, made or (b"") removed."""

    changes: tuple[Change, ...]
    elements: tuple[tuple[int, bytes], ...]


class Copies:
    """One route's edits, ready to be made on any instance; all threads share it."""

    def __init__(self, rule: RouteRule, tables: Mapping[str, Table], secret: bytes) -> None:
        self._rule = rule
        self._tables = tables
        self._secret = secret
        self._is_whole = any(edit.is_whole for edit in rule.edit)
        self._tags = _touched(rule.edit)
        self._made: dict[_Key, _Made] = {}

    def prepare(self, header: Header, arrival: Arrival) -> Prepared:
        """The copy of one instance. EditError."""
        extents = self._extents(header)
        key = _key(header.top, extents)
        made = self._made.get(key) if key else None
        if made is not None:
            return _again(made, header, extents)
        draft = Draft(header)
        changes = tuple(apply(self._rule, draft, EditContext(arrival, self._tables, self._secret)))
        work = _pixel_work(draft)
        if work:
            changes += tuple(self._done_to_pixels(work, header))
        if self._is_whole:
            return self._whole(header, draft, changes, work)
        hunks = draft.hunks() if draft.changed else []
        if key and not draft.top.converted and all(hunk.tag in extents for hunk in hunks):
            self._remember(key, _Made(changes, tuple((hunk.tag, hunk.new) for hunk in hunks)))
        splice = splice_of(header, hunks) if draft.changed else None
        return Prepared(changes, splice, _new_uid(header, draft), pixels=work)

    def leaves_as(self, transfer_syntax_uid: str) -> tuple[str, ...]:
        """The transfer syntaxes a copy may be in, whose instance is kept in the one given. EditHeldError."""
        if not any(isinstance(edit, BlankPixelsEdit | TranscodeEdit) for edit in self._rule.edit):
            return (transfer_syntax_uid,)
        wanted = [edit.transfer_syntax_uid for edit in self._rule.edit if isinstance(edit, TranscodeEdit)]
        found = [
            leaves_as(transfer_syntax_uid, wanted[-1] if wanted else None, has_pixels=has_pixels)
            for has_pixels in (True, False)
        ]
        return tuple(dict.fromkeys(found))

    def _done_to_pixels(self, work: PixelWork, header: Header) -> Iterator[Change]:
        """What is to be done beyond the header, in the manner of its changes."""
        if work.regions:
            yield Change(self._rule.name, "PixelData", "as it came", f"black in {len(work.regions)} region(s)")
        if work.transfer_syntax_uid != header.transfer_syntax_uid:
            yield Change(self._rule.name, "TransferSyntaxUID", header.transfer_syntax_uid, work.transfer_syntax_uid)

    def _whole(self, header: Header, draft: Draft, changes: tuple[Change, ...], work: PixelWork | None) -> Prepared:
        """A copy whose every element was looked at: looked at once more as it will leave. EditHeldError."""
        if header.deflated and header.has_tail:
            raise EditHeldError("something follows the pixel data, which no edit has looked at")
        splice = draft.splice()
        after = edited(header, splice)
        for edit in self._rule.edit:
            edit.check(header, after)
        return Prepared(changes, splice, _new_uid(header, after), ends_with_pixels=True, pixels=work)

    def _extents(self, header: Header) -> dict[int, _Extent | None]:
        """Where the elements lie that the edits depend on, by tag; none where they may depend on more."""
        top = header.top
        if not header.editable or top.repeated:
            return {}
        return {tag: top.extent(tag) for tag in self._tags}

    def _remember(self, key: _Key, made: _Made) -> None:
        """Keep what was made, for a time."""
        if len(self._made) >= _MOST_MADE:
            self._made = {}
        self._made[key] = made


def _pixel_work(draft: Draft) -> PixelWork | None:
    """What the edits asked to be done with the pixels, None if that is nothing. EditHeldError."""
    header = draft.header
    if not draft.regions and draft.transfer_syntax_uid is None:
        return None
    if draft.regions and not header.editable:  # where its pixels lie, and whether there are any, is not known
        raise EditHeldError("the header is too irregular for its pixels to be worked on")
    has_pixels = header.pixel_tag is not None
    uid = leaves_as(header.transfer_syntax_uid, draft.transfer_syntax_uid, has_pixels=has_pixels)
    regions = draft.regions if has_pixels else ()
    return PixelWork(regions, uid) if regions or uid != header.transfer_syntax_uid else None


def _key(level: Level, extents: Mapping[int, _Extent | None]) -> _Key | None:
    """All that the edits' result depends on; None where it is not known, or too much."""
    elements = [level.data[extent[0] : extent[1]] if extent else b"" for extent in extents.values()]
    return (level.layout, *elements) if elements and sum(map(len, elements)) <= _LONGEST_KEY else None


def _again(made: _Made, header: Header, extents: Mapping[int, _Extent | None]) -> Prepared:
    """The same for another instance in which the elements are the same."""
    if not made.elements:
        return Prepared(made.changes, None)
    top = header.top
    hunks = [(*(extents[tag] or top.place(tag)), 0, tag, new) for tag, new in made.elements]
    return Prepared(made.changes, splice_of(header, hunks))


def _touched(edits: Iterable[Edit]) -> tuple[int, ...]:
    """The tags on whose elements alone it depends what the edits do; none where there are others, or none are known."""
    tags = {SPECIFIC_CHARACTER_SET}
    for edit in edits:
        reads = edit.reads()
        if reads is None:
            return ()
        for attribute in (*reads, *edit.writes()):
            if not _stands_alone(attribute):
                return ()
            tags.add(attribute.tag or 0)
    return (*tags, *{tag & 0xFFFF0000 for tag in tags})  # a group length is replaced as well, if it is there


def _stands_alone(attribute: Attribute) -> bool:
    """Whether an attribute's values and VR depend on its own element and the character set only."""
    tag = attribute.tag
    if tag is None or tag >> 16 & 1 or tag >> 16 < _FIRST_GROUP or tag >= min(PIXEL_TAGS):
        return False
    return " or " not in (attribute.vr or "")


def _new_uid(before: Header, made: Readable) -> str | None:
    """The UID of the instance that was made, None where it is still the old one's."""
    values = made.values(_SOP_INSTANCE_UID)
    return values[0] if values and values != before.values(_SOP_INSTANCE_UID) else None
