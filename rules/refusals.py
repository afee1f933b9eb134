"""Collects what is wrong with a condition while it is compiled. Judges no value of a header."""

from pydantic_core import InitErrorDetails, PydanticCustomError

from rules.clause import Clause, Loc
from rules.values import refusal

KEY = "[key]"  # tells the loader that the key itself is wrong, not what stands under it
MISTAKE = Clause("a mistake", lambda _: False)


class Refusals:
    """Every mistake of one condition; a mistaken part stands as one that never holds."""

    def __init__(self) -> None:
        self.errors: list[InitErrorDetails] = []

    def wrong(self, loc: Loc, value: object, message: str, suggestion: str | None = None) -> Clause:
        """This is wrong at that place."""
        return self.refused(refusal(message, suggestion), loc, value)

    def refused(self, error: PydanticCustomError, loc: Loc, value: object) -> Clause:
        """As `wrong`, where what is wrong was found out by who took the value."""
        self.errors.append(InitErrorDetails(type=error, loc=loc, input=value))
        return MISTAKE

    def text(self, value: object, loc: Loc) -> str | None:
        """The value as text; None, and a mistake, if it is none."""
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if value is None:
            self.wrong(loc, value, 'no value; write "" for an empty attribute, present: false for an absent one')
        else:
            self.wrong(loc, value, "a text is expected here")
        return None
