"""What edits have in common whose result is made from a secret: their own, or the site's. It makes nothing itself."""

from pydantic import Field

from rules.anonymising import Pseudonyms
from rules.edits.edit import Edit, EditContext


class SecretEdit(Edit):
    """An edit whose result is made from a secret."""

    secret: str | None = Field(
        default=None, min_length=8, description="From this it is made; else from the site's own."
    )

    @property
    def own_secret(self) -> str | None:
        """What it names, None for the site's."""
        return self.secret

    @property
    def needs_secret(self) -> bool:
        """Unless it names its own: what is made of it may be needed also where pseudonyms come from a table."""
        return self.secret is None

    def pseudonyms(self, context: EditContext) -> Pseudonyms:
        """What the secret yields. EditHeldError where there is none."""
        return Pseudonyms(context.secret_or(self.secret))
