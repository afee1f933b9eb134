"""Statements for many rows, prepared once as text: SQLAlchemy's own way costs more than the database does.

Knows no table and no connection; `Database` keeps what is made here.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Dialect, Table


class Prepared:
    """A statement with a mark for each of the columns, and what turns their values into those the driver takes."""

    def __init__(self, dialect: Dialect, table: Table, columns: Sequence[str], statement: str) -> None:
        self._statement = statement if dialect.name == "sqlite" else statement.replace("?", "%s")
        types_of = (table.c[name].type.dialect_impl(dialect) for name in columns)
        processors = enumerate(each.bind_processor(dialect) for each in types_of)
        self._processors = [(place, process) for place, process in processors if process is not None]

    def execute(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Execute it for each of the rows; none is nothing."""
        if rows:
            connection.exec_driver_sql(self._statement, self._bound(rows))

    def _bound(self, rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
        """The rows as the driver takes them; a value that the next row has too, as a time of filing, is bound once."""
        lists = [list(row) for row in rows]
        for place, process in self._processors:
            before = lists[0][place]
            bound = process(before)
            for values in lists:
                if values[place] is not before:
                    before = values[place]
                    bound = process(before)
                values[place] = bound
        return [tuple(values) for values in lists]


def insertion(dialect: Dialect, table: Table, columns: Sequence[str], *, only_new: bool) -> Prepared:
    """INSERT INTO the table; with `only_new` a row whose primary or unique key is there already is passed over."""
    quote = dialect.identifier_preparer.quote
    names, marks = ", ".join(map(quote, columns)), ", ".join("?" for _ in columns)
    statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks})"  # noqa: S608 (names are ours)
    first = quote(next(iter(table.primary_key.columns)).name)
    if only_new and dialect.name in {"mysql", "mariadb"}:
        statement += f" ON DUPLICATE KEY UPDATE {first} = {first}"
    elif only_new:
        statement += " ON CONFLICT DO NOTHING"
    return Prepared(dialect, table, columns, statement)


def updating(dialect: Dialect, table: Table, columns: Sequence[str]) -> Prepared:
    """UPDATE the table: all columns but the last are set, in the rows where the last is as given."""
    quote = dialect.identifier_preparer.quote
    *changed, key = (f"{quote(name)} = ?" for name in columns)
    statement = f"UPDATE {quote(table.name)} SET {', '.join(changed)} WHERE {key}"  # noqa: S608 (names are ours)
    return Prepared(dialect, table, columns, statement)
