"""Whether the libraries of the extra `codecs` are there that write a transfer syntax. It loads none of them."""

from importlib.util import find_spec

from rules import TARGETS

INSTALL = "pip install 'micropacs[codecs]'"
_NEEDED = {
    TARGETS["rle"]: ("numpy",),
    TARGETS["jpeg-lossless"]: ("numpy", "gdcm"),
    TARGETS["jpeg-ls"]: ("numpy", "jpeg_ls"),
    TARGETS["jpeg2000"]: ("numpy", "pylibjpeg", "openjpeg"),
}


def can_write(transfer_syntax_uid: str) -> bool:
    """Whether pixels can be written in it on this machine."""
    return all(find_spec(module) for module in _NEEDED.get(transfer_syntax_uid, ()))
