"""Files the system is not asked about, and closes once; whether they are where they were is test_watch's."""

import os
from collections import Counter
from pathlib import Path

from archive.files import create
from tests.support.tracing import needs_strace, traced

KEEPING = """
import sys
from pathlib import Path
from archive import Archive, Database, Spool
from tests.support.arrivals import filed, sealed
folder = Path(sys.argv[1])
spool = Spool(folder / "spool")
archive = Archive(Database(f"sqlite:///{folder / 'd.db'}"), folder / "archive")
archive.create_tables()
for number in range(12):
    entry = sealed(spool, bytes(1000 + 200_000 * (number % 2)), f"1.{number}")
    filed(archive, [entry], [{}])
    spool.remove([entry.arrival])
print(spool._segments.watch._stirred)
"""


def test_closing_is_enough_once(tmp_path: Path) -> None:
    """A descriptor that was given back may be another file's by now, and is left alone."""
    file = create(tmp_path / "one")
    descriptor = file.fileno()
    file.close()
    with create(tmp_path / "other") as other:
        assert other.fileno() == descriptor
        file.close()
        del file
        assert os.write(other.fileno(), b"x") == 1


@needs_strace
def test_files_are_not_asked_about_instance_by_instance(tmp_path: Path) -> None:
    """Receiving and filing ask the system for the times of a segment once, and of what is filed never.

    And again each time something stirred on the way to it, as other tests that run now may stir.
    """
    stirred, calls = traced(KEEPING, tmp_path, "-e", "trace=%stat,%fstat,statx")
    asked = Counter(kind for call in calls for kind in (".segment", ".register", ".part") if kind in call)
    assert asked.keys() == {".segment"}, calls
    assert 2 <= asked[".segment"] <= 2 * int(stirred), calls  # its descriptor and its path
