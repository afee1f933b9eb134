"""What a condition looks at: an attribute or a fact of the arrival, read once an instance. It judges nothing."""

from dataclasses import dataclass
from decimal import Decimal

from rules.attribute import PIXEL_TAGS, TRANSFER_SYNTAX_UID, Attribute
from rules.errors import RulesError
from rules.facts import ARRIVAL_FACTS, Arrival, Facts
from rules.ordering import ranking
from rules.values import WEEKDAYS

# Of these the dictionary knows, but a condition can only ask whether they are present.
_OPAQUE_VRS = frozenset({"SQ", "OB", "OW", "OF", "OD", "OL", "OV", "OB or OW", "UN"})
_ONE_VALUE_VRS = frozenset({"LT", "ST", "UT", "UR"})  # a backslash in these is a character like any other (PS3.5 6.2)
_FILE_META_GROUPS = frozenset({0x0000, 0x0002})
_PIXEL_GROUP = 0x7FE0


@dataclass(frozen=True, slots=True)
class Subject:
    """The left-hand side of a condition: a fact of the arrival where `attribute` is None."""

    name: str
    attribute: Attribute | None
    vr: str | None

    @property
    def is_opaque(self) -> bool:
        """Whether only its presence can be asked about: a sequence or bytes."""
        return self.vr in _OPAQUE_VRS

    @staticmethod
    def named(name: str) -> "Subject":
        """The fact or attribute of this name. AttributeNameError if there is none, RulesError if no header holds it."""
        if name in ARRIVAL_FACTS:
            return Subject(name, None, None)
        attribute = Attribute.parse(name)
        outermost, last = attribute.steps[0].tag, attribute.steps[-1]
        if outermost is not None:
            group = outermost >> 16
            is_outside = group in _FILE_META_GROUPS or group >= _PIXEL_GROUP
            if is_outside and outermost != TRANSFER_SYNTAX_UID and outermost not in PIXEL_TAGS:
                raise RulesError(f"{name} is not in the header: it ends before the pixel data and has no file meta")
        return Subject(name, attribute, "SQ" if last.item is not None else attribute.vr)


class Reading:
    """One instance during one evaluation: each attribute is decoded once and folded once, however many rules ask.

    It holds as long as the header it reads does not change; after an edit a new one is made.
    """

    __slots__ = ("_encoded", "_folded", "_ranks", "_values", "arrival", "header")

    def __init__(self, facts: Facts) -> None:
        self.header = facts.header
        self.arrival = facts.arrival
        self._values: dict[str, tuple[str, ...] | None] = {}
        self._folded: dict[str, tuple[str, ...]] = {}
        self._encoded: dict[str, tuple[bytes, ...]] = {}
        self._ranks: dict[str, tuple[Decimal, ...]] = {}

    def values(self, subject: Subject) -> tuple[str, ...] | None:
        """The values as text; `("",)` if present but empty, None if absent."""
        try:
            return self._values[subject.name]
        except KeyError:
            pass
        if subject.attribute is None:
            values = fact_values(self.arrival, subject.name)
        else:
            values = self.header.values(subject.attribute)
            if values == ():
                values = ("",)
        self._values[subject.name] = values
        return values

    def texts(self, subject: Subject) -> tuple[str, ...]:
        """The texts to compare as they were written; `()` if absent.

        For a person name (PN, PS3.5 6.2) each value gives the whole and each of its component groups.
        """
        values = self.values(subject) or ()
        return person_name_texts(values) if subject.vr == "PN" else values

    def folded(self, subject: Subject) -> tuple[str, ...]:
        """The same without case and surrounding spaces."""
        try:
            return self._folded[subject.name]
        except KeyError:
            pass
        folded = tuple(fold(text) for text in self.texts(subject))
        self._folded[subject.name] = folded
        return folded

    def encoded(self, subject: Subject) -> tuple[bytes, ...]:
        """The texts without surrounding spaces, as RE2 takes them: UTF-8, with `?` for what no encoding can hold."""
        try:
            return self._encoded[subject.name]
        except KeyError:
            pass
        encoded = tuple(text.strip().encode("utf-8", "replace") for text in self.texts(subject))
        self._encoded[subject.name] = encoded
        return encoded

    def ranks(self, subject: Subject) -> tuple[Decimal, ...]:
        """Where the texts stand in the order that values of the VR have; not those that have no place in it."""
        try:
            return self._ranks[subject.name]
        except KeyError:
            pass
        rank, _ = ranking(subject.vr)
        found = (rank(text.strip()) for text in self.texts(subject))
        ranks = self._ranks[subject.name] = tuple(each for each in found if each is not None)
        return ranks


def fact_values(arrival: Arrival, name: str) -> tuple[str, ...] | None:
    """A fact of the arrival as values; an unknown or empty one is absent. Time and weekday as people write them."""
    if name == "time":
        return (arrival.at.time().isoformat("seconds"),)
    if name == "weekday":
        return (WEEKDAYS[arrival.at.weekday()],)
    text: str | None = getattr(arrival, name)
    return (text,) if text else None


def split(text: str, vr: str | None) -> tuple[str, ...]:
    """The values in one text, as a backslash separates them (PS3.5 6.4); none in an empty one."""
    if not text:
        return ()
    return (text,) if vr in _ONE_VALUE_VRS else tuple(text.split("\\"))


def person_name_texts(values: tuple[str, ...]) -> tuple[str, ...]:
    """The whole names and their alphabetic, ideographic and phonetic groups, without trailing empty components."""
    texts: dict[str, None] = {}
    for value in values:
        texts[_without_empty_components(value)] = None
        if "=" in value:
            for group in value.split("="):
                if text := _without_empty_components(group):
                    texts[text] = None
    return tuple(texts)


def _without_empty_components(name: str) -> str:
    return name.rstrip(" ^=")


def fold(text: str) -> str:
    """The text as compared: no surrounding spaces, one case. Every character stays one, for the sake of `?`."""
    text = text.strip()
    if text.isascii():
        return text.lower()
    return "".join(_fold_character(character) for character in text)


def _fold_character(character: str) -> str:
    folded = character.casefold()
    return folded if len(folded) == 1 else character
