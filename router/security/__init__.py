"""Security events: noted by whoever meets a bad peer, without a database, and folded into the journal later."""

from router.security.event import SecurityEvent
from router.security.folding import Folding, recent
from router.security.ledger import Ledger, ledger_folder

__all__ = ["Folding", "Ledger", "SecurityEvent", "ledger_folder", "recent"]
