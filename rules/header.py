"""The header of an instance, read lazily from encoded bytes up to the pixel data. It changes nothing (see draft)."""

from rules.attribute import Attribute


class Header:
    """A scanned data set: which attributes are there and where; values are decoded when asked."""

    transfer_syntax_uid: str
    end: int

    @staticmethod
    def scan(data: bytes, transfer_syntax_uid: str, *, complete: bool = True) -> "Header":
        """Read the top level of a data set (no preamble, no file meta). HeaderIncompleteError, HeaderError."""
        raise NotImplementedError

    def values(self, attribute: Attribute) -> tuple[str, ...] | None:
        """The attribute's values as text, without padding; `()` if it is there but empty, None if it is absent."""
        raise NotImplementedError


def identify(data: bytes, transfer_syntax_uid: str) -> tuple[str, str]:
    """SOP Class UID and SOP Instance UID from the first few kB of a data set; "" when absent. HeaderError."""
    raise NotImplementedError
