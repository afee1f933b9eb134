"""Character sets with code extensions, both ways."""

import warnings
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.attribute import Attribute
from rules.charset import UnencodableError, charset
from rules.header import Header
from tests.support.data import data_set, name_of, needs_data, sample

# PS3.5 annexes H to K: the examples of the standard.
EXAMPLES = [
    (
        b"\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        b"ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        b"\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    (b"\\ISO 2022 IR 58", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", "Zhang^XiaoDong=张^小东="),
    (b"ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
    (b"ISO_IR 192", "Wang^XiaoDong=王^小東".encode(), "Wang^XiaoDong=王^小東"),
    (b"GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
    (b"ISO_IR 166", "สมชาย".encode("tis_620"), "สมชาย"),
]


@pytest.mark.parametrize(("terms", "raw", "text"), EXAMPLES)
def test_examples_of_the_standard(terms: bytes, raw: bytes, text: str) -> None:
    """The standard's own examples are read right, and written to the very same bytes."""
    assert charset(terms).decode(raw, name=True, strict=True) == text
    assert charset(terms).encode(text, name=True) == raw


@needs_data
@pytest.mark.parametrize("path", sample("charsets"), ids=name_of)
def test_files(path: Path) -> None:
    """Every file of the character set collection shows the names pydicom shows, and they can be written again."""
    data, syntax = data_set(path)
    header = Header.scan(data, syntax)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = str(pydicom.dcmread(path).get("PatientName", ""))
    (found,) = header.values(Attribute.parse("PatientName")) or ("",)
    assert found.rstrip("=") == name
    own = header.top.charset
    assert own.decode(own.encode(found, name=True), name=True, strict=True) == found


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        (b"", "ü"),
        (b"ISO_IR 6", "ü"),
        (b"ISO_IR 100", "한"),
        (b"\\ISO 2022 IR 87", "한"),
        (b"NONSENSE", "ü"),
        (b"ISO_IR 13", "山"),
    ],
)
def test_unencodable(terms: bytes, text: str) -> None:
    """A character the set does not have is refused, never replaced."""
    with pytest.raises(UnencodableError):
        charset(terms).encode(text)


@pytest.mark.parametrize("term", [b"ISO_IR 100", b"ISO-IR 100", b"iso_ir_100", b"ISO 2022 IR 100 ", b"ISO_IR100"])
def test_punctuation(term: bytes) -> None:
    """A defined term is recognised however it is punctuated."""
    assert charset(term).decode(b"\xfc") == "ü"


def test_unknown_set() -> None:
    """Of an unknown set ASCII is read and written, the rest is shown as Latin-1 but never converted."""
    unknown = charset(b"ISO_IR 999")
    assert unknown.decode(b"abc\xfc") == "abcü"
    with pytest.raises(UnicodeDecodeError):
        unknown.decode(b"abc\xfc", strict=True)
    assert unknown.encode("abc") == b"abc"


def test_backslash_inside_a_character() -> None:
    """A backslash that is the second byte of a character parts no values."""
    data = charset(b"GB18030").encode("誠\\a")
    assert charset(b"GB18030").decode(data) == "誠\\a"


@settings(max_examples=300, deadline=None)
@given(
    text=st.text("aZ ^=\\äöАЖαΩ한국山田ﾔﾏｱあ张", max_size=20),
    terms=st.sampled_from(
        [terms for terms, _, _ in EXAMPLES] + [b"ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 149\\ISO 2022 IR 87"]
    ),
    name=st.booleans(),
)
def test_round_trip(text: str, terms: bytes, name: bool) -> None:
    """Whatever can be written is read back the same."""
    own = charset(terms)
    try:
        raw = own.encode(text, name=name)
    except UnencodableError:
        return
    assert own.decode(raw, strict=True, name=name) == text


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=40), terms=st.sampled_from([terms for terms, _, _ in EXAMPLES]))
def test_any_bytes(raw: bytes, terms: bytes) -> None:
    """Any bytes can be read, if with replacement characters."""
    assert isinstance(charset(terms).decode(raw), str)
