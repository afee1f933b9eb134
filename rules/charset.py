"""Specific Character Set (0008,0005): text from bytes and back, with code extensions (PS3.3 C.12.1.1.2, PS3.5 6.1).

It knows no elements.
"""

import re
from functools import lru_cache

ESCAPE = 0x1B  # the byte; to look for it is ten times faster than for bytes of length one
_ASCII_ESCAPE = b"\x1b(B"
_KATAKANA_ESCAPE, _ROMAN_ESCAPE = b"\x1b)I", b"\x1b(J"
_UNDECLARED = "latin_1"  # how bytes above 0x7F are shown where the default repertoire allows none

# The number of the ISO registration, or the defined term, and the codec.
_CODECS = {
    "6": _UNDECLARED,
    "13": "shift_jis",
    "87": "iso2022_jp",
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso8859_7",
    "127": "iso8859_6",
    "138": "iso8859_8",
    "144": "iso8859_5",
    "148": "iso8859_9",
    "149": "euc_kr",
    "159": "iso2022_jp_2",
    "166": "tis_620",
    "203": "iso8859_15",
    "58": "gb2312",
    "192": "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
_STAND_ALONE = frozenset({"utf_8", "gb18030", "gbk"})
_G0_MULTI_BYTE = frozenset({"iso2022_jp", "iso2022_jp_2"})  # Python reads and writes their escapes itself
_ESCAPES = {
    "latin_1": b"\x1b-A",
    "iso8859_2": b"\x1b-B",
    "iso8859_3": b"\x1b-C",
    "iso8859_4": b"\x1b-D",
    "iso8859_7": b"\x1b-F",
    "iso8859_6": b"\x1b-G",
    "iso8859_8": b"\x1b-H",
    "iso8859_5": b"\x1b-L",
    "iso8859_9": b"\x1b-M",
    "iso8859_15": b"\x1b-b",
    "tis_620": b"\x1b-T",
    "euc_kr": b"\x1b$)C",
    "gb2312": b"\x1b$)A",
}
_ESCAPED_CODECS = {escape: codec for codec, escape in _ESCAPES.items()} | {
    _ASCII_ESCAPE: _UNDECLARED,
    _KATAKANA_ESCAPE: "shift_jis",
    _ROMAN_ESCAPE: "shift_jis",
    b"\x1b$B": "iso2022_jp",
    b"\x1b$@": "iso2022_jp",
    b"\x1b$(D": "iso2022_jp_2",
}
_FRAGMENT = re.compile(b"\x1b[^\x1b]*|^[^\x1b]+")
_ESCAPE_CODE = re.compile(rb"\x1b(?:\$[()].|..)", re.DOTALL)
_CONTROLS = b"\t\n\f\r"
# As the standard writes them: ISO_IR stands alone, ISO 2022 IR may be extended.
_DEFINED_TERMS = frozenset(
    term if term.startswith("GB") else form + term for term in _CODECS for form in ("ISO_IR ", "ISO 2022 IR ")
)
_TERM = re.compile(r"(?:ISO[ _-]?)?(?:2022[ _-]?)?(?:IR[ _-]?)?(\w+)")


class UnencodableError(ValueError):
    """The character set cannot hold the text."""


class Charset:
    """The character set in force at one level of a data set; `terms` as its Specific Character Set gives them."""

    def __init__(self, terms: tuple[str, ...]) -> None:
        self.terms = terms
        found = [_CODECS.get(_number(term)) for term in terms or ("",)]
        self.known = None not in found
        codecs = [codec or _UNDECLARED for codec in found]
        self.codec = codecs[0]
        self.codecs = codecs if self.codec not in _STAND_ALONE else codecs[:1]
        self.extended = len(self.codecs) > 1
        # The default repertoire is ASCII alone, whatever is found in the wild.
        self.undeclared = _number((terms or ("",))[0]) == "6" or not self.known

    def decode(self, raw: bytes, *, strict: bool = False, name: bool = False) -> str:
        """The text of a whole value; `name` for PN, where ^ and = also end an extension.

        What cannot be read becomes U+FFFD, or with `strict` a UnicodeDecodeError.
        """
        if raw.isascii() and ESCAPE not in raw:
            return raw.decode("ascii")
        if ESCAPE not in raw or not self.extended:
            return self._plain(raw, strict)
        delimiters = _CONTROLS + (b"\\^=" if name else b"\\")
        return "".join(self._fragment(piece, strict, delimiters) for piece in _FRAGMENT.findall(raw))

    def _plain(self, raw: bytes, strict: bool) -> str:
        """Text in the first character set."""
        if strict:
            return raw.decode("ascii" if self.undeclared else self.codec)
        return raw.decode(self.codec, errors="replace")

    def _fragment(self, piece: bytes, strict: bool, delimiters: bytes) -> str:
        """Text from one escape sequence up to the next."""
        code = _ESCAPE_CODE.match(piece)
        codec = _ESCAPED_CODECS.get(code[0]) if code else None
        if code is None or codec is None or (codec not in self.codecs and code[0] != _ASCII_ESCAPE):
            return self._plain(piece, strict)
        errors = "strict" if strict else "replace"
        if codec in _G0_MULTI_BYTE:
            return piece.decode(codec, errors=errors)
        content = piece[code.end() :]
        stop = next((index for index, byte in enumerate(content) if byte in delimiters), len(content))
        return content[:stop].decode(codec, errors=errors) + self._plain(content[stop:], strict)

    def encode(self, text: str, *, name: bool = False) -> bytes:
        """The bytes of a whole value, without padding; UnencodableError if the character set lacks a character."""
        if "\x1b" in text:
            raise UnencodableError
        if text.isascii():
            return text.encode("ascii")
        if not self.known:
            raise UnencodableError
        try:
            if not self.extended:
                raw = text.encode("ascii" if self.undeclared else self.codec)
            else:
                pieces = re.split(r"([\\^=\t\n\f\r])" if name else r"([\\\t\n\f\r])", text)
                raw = b"".join(self._extended_piece(piece) for piece in pieces)
            if self.decode(raw, strict=True, name=name) != text or (
                self.codec == "shift_jis" and not self.extended and len(raw) != len(text)
            ):
                raise UnencodableError
        except UnicodeError:
            raise UnencodableError from None
        return raw

    def _extended_piece(self, piece: str) -> bytes:
        """Text without delimiters: in one character set if one has it all, else in runs of several."""
        if piece.isascii() or _fits(piece, self.codec, self.undeclared):
            return piece.encode("ascii" if piece.isascii() else self.codec)
        for codec in self.codecs[1:]:
            if _fits(piece, codec):
                return self._escaped(piece, codec)
        return b"".join(self._escaped(run, codec) for run, codec in self._runs(piece))

    def _runs(self, piece: str) -> list[tuple[str, str]]:
        """Cut text into the fewest runs from left to right; UnencodableError if a character is in no set."""
        runs: list[tuple[str, str]] = []
        for character in piece:
            if runs and _fits(character, runs[-1][1]):
                runs[-1] = runs[-1][0] + character, runs[-1][1]
                continue
            codec = next((codec for codec in self.codecs if _fits(character, codec)), None)
            if codec is None:
                raise UnencodableError
            runs.append((character, codec))
        return runs

    def _escaped(self, run: str, codec: str) -> bytes:
        """A run with the escape sequence that announces it."""
        raw = run.encode(codec)
        if codec == "shift_jis":
            return b"".join(
                (_ROMAN_ESCAPE if part.isascii() else _KATAKANA_ESCAPE) + part
                for part in re.findall(rb"[\x00-\x7f]+|[\x80-\xff]+", raw)
            )
        if codec in _G0_MULTI_BYTE:
            back = _ROMAN_ESCAPE if self.codec == "shift_jis" else _ASCII_ESCAPE
            return raw.removesuffix(_ASCII_ESCAPE) + back if raw.endswith(_ASCII_ESCAPE) else raw
        if codec == _UNDECLARED and run.isascii():
            return _ASCII_ESCAPE + raw
        return _ESCAPES[codec] + raw


def _fits(text: str, codec: str, undeclared: bool = False) -> bool:
    """Whether one character set alone can hold the text."""
    try:
        raw = text.encode("ascii" if undeclared else codec)
    except UnicodeError:
        return False
    if codec == "iso2022_jp_2":
        return b"\x1b." not in raw and b"\x1b$A" not in raw and b"\x1b$(C" not in raw  # sets DICOM does not give it
    return codec != "shift_jis" or len(raw) == len(text)


def _number(term: str) -> str:
    """The registration number of a defined term, however it is punctuated."""
    term = term.strip().upper()
    match = _TERM.fullmatch(term)
    return match[1] if match else term or "6"


def defined(terms: tuple[str, ...]) -> tuple[str, ...] | None:
    """The terms as the standard writes them, however they are punctuated; None where one is none of its terms."""
    made = tuple([written for written in map(_defined, terms) if written is not None])
    return made if len(made) == len(terms) else None


def _defined(term: str) -> str | None:
    """One term; an empty one stands for the default repertoire."""
    if not term or term in _DEFINED_TERMS:
        return term
    number = _number(term)
    written = number if number.startswith("GB") else ("ISO 2022 IR " if "2022" in term else "ISO_IR ") + number
    return written if written in _DEFINED_TERMS else None


@lru_cache(maxsize=256)
def charset(raw: bytes) -> Charset:
    """The character set that a (0008,0005) value gives, padding and all; the default repertoire if it is empty."""
    text = raw.decode("latin_1").strip("\0 ")
    return Charset(tuple(term.strip("\0 ") for term in text.split("\\")) if text else ())


UTF_8 = charset(b"ISO_IR 192")
