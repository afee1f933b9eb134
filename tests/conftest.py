"""What holds for the whole run: processes that tests start keep their compiled modules, also where others may not.

Hundreds are started, and to compile everything takes longer than the rest of a start.
"""

import os

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
