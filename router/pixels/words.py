"""Turns the byte order of words round. What the words mean is not known here."""

from array import array

from router.errors import PixelsError

_WORDS = {16: "H", 32: "I", 64: "Q"}


def in_other_order(pixels: bytes | bytearray, bits: int) -> bytes:
    """Words of so many bits with their bytes turned round; bytes stay as they are. PixelsError."""
    if bits <= 8:
        return bytes(pixels)
    kind = _WORDS.get(bits)
    if kind is None or len(pixels) % (bits // 8):
        raise PixelsError("the pixel data is no whole number of words")
    words = array(kind)
    words.frombytes(pixels)
    words.byteswap()
    return words.tobytes()
