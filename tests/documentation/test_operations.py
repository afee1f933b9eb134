"""The operator's guide names what the code knows."""

from router.dimse.breach import Breach
from tests.support.guide import REPOSITORY, spans, table_rows


def test_every_kind_of_security_event_is_explained() -> None:
    """The table of security events has every kind, and no other."""
    rows = table_rows(REPOSITORY / "docs" / "operations.md", "security events")
    assert sorted(name for row in rows for name in spans(row[0])) == sorted(Breach)
