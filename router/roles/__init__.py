"""The processes of the appliance: a supervisor that keeps one of each role running."""

from router.roles.listening import ListenError
from router.roles.supervisor import Supervisor

__all__ = ["ListenError", "Supervisor"]
