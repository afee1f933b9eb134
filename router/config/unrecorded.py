"""Old names that anonymising cannot know of, since nothing in the instance tells them. It mends none."""

from collections.abc import Iterator

from router.config.settings import Settings
from rules import Finding


def unrecorded(settings: Settings) -> Iterator[Finding]:
    """Routes that anonymise where the archive does not record in its instances what was changed in them."""
    if settings.archive.original_attributes:
        return
    for rule in settings.routes:
        if not rule.disabled and any(edit.is_whole for edit in rule.edit):
            said = (
                f"the rule {rule.name!r} anonymises, and looks in its copies for the names and numbers of the "
                "archive's instance; without original_attributes those that `normalise` or `study edit` replaced are "
                "not among them: one that stands in some other text as well would leave"
            )
            yield Finding(("archive", "original_attributes"), said)
