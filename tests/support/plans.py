"""The statements that some code executes, and what SQLite would do for each: so a test sees what grows with tables."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from archive import Database

_GROWS = ("studies", "series", "instances", "amendments", "held", "deliveries", "attempts", "quiet_periods", "journal")


@contextmanager
def executed(database: Database) -> Iterator[list[str]]:
    """The statements that are executed in the block, while they are."""
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield statements
    event.remove(database.engine, "before_cursor_execute", note)


@contextmanager
def scans(database: Database) -> Iterator[list[str]]:
    """Gives, when the block has ended, each statement of it that reads a table or an index from end to end."""
    found: list[str] = []
    asked: list[tuple[str, object]] = []

    def note(_: object, __: object, statement: str, parameters: object, ___: object, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
            asked.append((statement, parameters[0] if many else parameters))  # type: ignore[index]

    event.listen(database.engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine, "before_cursor_execute", note)
    with database.read() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()  # type: ignore[arg-type]
            steps = [str(row[3]) for row in plan]
            if any(step.split()[:1] == ["SCAN"] and step.split()[1] in _GROWS for step in steps):
                found.append(f"{statement}: {steps}")
