"""What holds for the whole run: its databases, and that processes which tests start keep their compiled modules.

Hundreds of them are started, and to compile everything takes longer than the rest of a start.
"""

import os

from tests.support.databases import database, database_server, database_servers

__all__ = ["database", "database_server", "database_servers"]

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
