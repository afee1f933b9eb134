"""Edits whose names are known and which this version cannot make. They hold the instance."""

from rules.attribute import Attribute
from rules.draft import Draft
from rules.edits.edit import Edit, EditContext
from rules.errors import EditHeldError

NOT_AVAILABLE = frozenset({"blank_pixels", "transcode"})


class NotAvailableEdit(Edit):
    """An edit this version cannot make; whatever stands under its name was not looked at."""

    name: str

    def apply(self, draft: Draft, context: EditContext) -> None:  # noqa: ARG002
        """Hold the instance: it is never sent un-edited."""
        raise EditHeldError(f"the edit {self.name!r} is not available yet")

    def writes(self) -> tuple[Attribute, ...]:
        """No attribute: it never gets so far."""
        return ()
