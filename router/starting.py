"""Starts the appliance's programs lean: they work on no pixels, so pydicom is loaded as where no codec is installed.

Where the extra `codecs` is, pydicom would load NumPy and all codecs into every process, which takes longer than most
commands do. Whoever imports `router` as a library, and the process that works on pixels, get pydicom whole.

`python -m router.starting MODULE …` starts the program of a module, as `python -m MODULE …` does.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

_LEFT_OUT = ("numpy", "gdcm", "pylibjpeg", "openjpeg", "libjpeg", "rle", "jpeg_ls", "PIL", "requests")


@contextmanager
def lean() -> Iterator[None]:
    """Within the block modules are loaded, pydicom without codecs, and none of them is looked at as garbage."""
    absent = [name for name in _LEFT_OUT if name not in sys.modules]
    gc.disable()
    try:
        for name in absent:
            sys.modules[name] = None  # type: ignore[assignment]  # importing it is an ImportError
        try:
            import_module("pydicom")
        finally:
            for name in absent:
                del sys.modules[name]
        yield
    finally:
        gc.enable()
        gc.freeze()


def main() -> None:
    """Load the module that is named, and run its program."""
    name = sys.argv.pop(1)
    with lean():
        module = import_module(name)
    sys.exit(module.main())


if __name__ == "__main__":
    main()
