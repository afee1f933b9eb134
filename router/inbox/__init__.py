"""What a person is told about instances in hold, and what they do about the cause. Decides about no instance."""

from router.inbox.amending import AmendingError, amend
from router.inbox.groups import Group, grouped
from router.inbox.people import person
from router.inbox.releasing import await_revision, release_and_see
from router.inbox.remedies import Remedy, missing_now, remedy

__all__ = [
    "AmendingError",
    "Group",
    "Remedy",
    "amend",
    "await_revision",
    "grouped",
    "missing_now",
    "person",
    "release_and_see",
    "remedy",
]
