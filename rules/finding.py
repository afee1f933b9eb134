"""What an analysis of the rules finds: a place and a sentence. It finds nothing itself."""

from dataclasses import dataclass

from rules.clause import Loc


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth saying, and where: an error makes the rules unusable, anything else is a warning."""

    loc: Loc
    message: str
    is_error: bool = False
