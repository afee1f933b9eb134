"""`lookup`: an attribute's value translated by a table. The table itself is in table."""

from typing import Literal

from pydantic import Field

from rules.attribute import Attribute
from rules.draft import Draft
from rules.edits.edit import Edit, EditContext, WritableAttribute
from rules.edits.table import Table
from rules.errors import EditError, EditHeldError, EditRejectedError, Missing, RulesError


class LookupEdit(Edit):
    """Replace the value by what a table has for it; an absent or empty one is as one the table has not.

    What a person has given in answer to its hold needs no line in the table: it stays.
    """

    keyword: WritableAttribute = Field(description="The attribute whose value is the key.")
    table: str = Field(min_length=1, description="The name of a table under tables:.")
    column: str | None = Field(default=None, description="The column of the new value; the first after the key.")
    missing: Literal["hold", "keep", "blank", "reject"] = Field(
        default="hold", description="What to do with a value that the table does not have."
    )

    def apply(self, draft: Draft, context: EditContext) -> None:
        """Translate each value. EditHeldError or EditRejectedError for a missing one, if so wished."""
        table = context.tables.get(self.table)
        if table is None:
            raise EditError(f"there is no table {self.table!r}")
        values = [value for value in draft.values(self.keyword) or () if value]
        if not values:
            self._missing(draft)
            return
        is_by_hand = self.keyword.steps in context.by_hand
        draft.rewrite(
            self.keyword, lambda values: [self._translate(table, value, is_by_hand=is_by_hand) for value in values]
        )

    def _translate(self, table: Table, value: str, *, is_by_hand: bool) -> str:
        """The table's text for one value, or what `missing` says."""
        try:
            found = table.lookup(value, self.column)
        except RulesError as error:
            raise EditError(str(error)) from None
        if found or is_by_hand:
            return found or value
        if self.missing in {"hold", "reject"}:
            self._refuse(value)
        return value if self.missing == "keep" else ""

    def _missing(self, draft: Draft) -> None:
        """There is no value to look up."""
        if self.missing in {"hold", "reject"}:
            self._refuse()
        if self.missing == "blank":
            draft.blank(self.keyword)

    def _refuse(self, value: str = "") -> None:
        """Hold or reject the instance."""
        message = f"{self.keyword.name}: the table {self.table!r} has no such value"
        if self.missing == "hold":
            raise EditHeldError(message, Missing(self.table, self.column, self.keyword.name, value.strip()))
        raise EditRejectedError(message)

    def reads(self) -> tuple[Attribute, ...]:
        """Nothing but what it may change."""
        return ()

    def writes(self) -> tuple[Attribute, ...]:
        """The attribute the edit may change."""
        return (self.keyword,)

    def table_names(self) -> tuple[str, ...]:
        """The table the edit looks things up in."""
        return (self.table,)
