"""What rules can do to a header: one file for each family of edits."""

from rules.edits.edit import Edit, EditContext
from rules.edits.form import AnyEdit
from rules.edits.not_available import NOT_AVAILABLE, NotAvailableEdit
from rules.edits.table import Table, delimiter_of

__all__ = ["NOT_AVAILABLE", "AnyEdit", "Edit", "EditContext", "NotAvailableEdit", "Table", "delimiter_of"]
