"""A program that sends a folder over one association with the product's own sender: PORT FOLDER. Retries nothing."""

import json
import sys
import time
from pathlib import Path

from router.dimse import DataSet, Peer, Requestor, StoreScu
from router.part10 import find_files, part_ten


def main(port: int, folder: Path) -> int:
    """Send, and print the seconds from connecting to releasing as JSON; 1 where an instance was not accepted."""
    parts = [part_ten(path) for path in find_files([folder])]
    contexts = {(part.identity.sop_class_uid, part.identity.transfer_syntax_uid) for part in parts}
    proposed = [(sop_class, (transfer_syntax,)) for sop_class, transfer_syntax in sorted(contexts)]
    started = time.monotonic()
    association = Requestor.connect(Peer("MICROPACS", "127.0.0.1", port), "SCANNER", proposed)
    scu = StoreScu(association)
    statuses = [scu.store(part.identity, DataSet(b"", part.path, part.data_set_offset, part.bytes)) for part in parts]
    association.release()
    seconds = time.monotonic() - started
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")
    return 1 if any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
