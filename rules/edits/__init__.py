"""What rules can do to a header: one file for each family of edits."""

from rules.edits.edit import Edit, EditContext
from rules.edits.form import AnyEdit
from rules.edits.table import Table, delimiter_of

__all__ = ["AnyEdit", "Edit", "EditContext", "Table", "delimiter_of"]
