"""What one part of a configuration says of another: names that must exist, no two alike. Checks no part by itself."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from router.config.nodes import IMPORT
from rules import Document, Entry, Node, Problem, Table, closest

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


class Crosscheck:
    """The findings on one document and the tables it names: `problems` make it unusable, `warnings` do not."""

    def __init__(self, document: Document, tables: Mapping[str, Table]) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._root = document.root
        self._read = tables
        self._used: dict[str, set[str]] = {"destinations": set(), "tables": set()}
        self._destinations()
        self._sources()
        self._tables()
        self._alike_sources()
        self._sends_to_itself()
        self._unused("destinations", "no route sends to destination")
        self._unused("tables", "no edit looks up in table")

    def _section(self, name: str) -> dict[str, Entry]:
        node = self._root.get(name)
        return node.entries() if node is not None else {}

    def _rules(self, *sections: str) -> Iterator[Node]:
        for section in sections:
            node = self._root.get(section)
            yield from node.items() if node is not None else ()

    def _note(self, node: Node, message: str, suggestion: str | None = None) -> None:
        self.problems.append(Problem.at(node.position, message, suggestion))

    def _warn(self, entry: Entry, message: str) -> None:
        self.warnings.append(Problem.at(entry.key_position, message))

    def _destinations(self) -> None:
        known = self._section("destinations")
        self._used["destinations"].update(name for name, _ in self._sent_to())
        for name, node in (*self._sent_to(), *self._expected()):
            if name not in known:
                self._note(node, f"there is no destination {name!r}", closest(name, known))

    def _sent_to(self) -> Iterator[tuple[str, Node]]:
        for route in self._rules("routes"):
            to = route.get("to")
            yield from to.texts() if to is not None else ()
        otherwise = self._root.get("otherwise")
        for item in otherwise.items() if otherwise is not None else ():
            yield from item.texts()

    def _expected(self) -> Iterator[tuple[str, Node]]:
        """The destinations that tests name."""
        for test in self._rules("tests"):
            to = test.get("expect", "to")
            yield from to.texts() if to is not None else ()
            at = test.get("expect", "at")
            for name, entry in at.entries().items() if at is not None else ():
                yield name, Node(entry.key_position, name)

    def _sources(self) -> None:
        known = (*self._section("sources"), IMPORT)
        folded = {name.casefold() for name in known}
        for name, node in self._named_sources():
            is_pattern = "*" in name or "?" in name
            if not is_pattern and name.strip().casefold() not in folded:
                self._note(node, f"there is no source {name!r}", closest(name, known))

    def _named_sources(self) -> Iterator[tuple[str, Node]]:
        for rule in self._rules("normalise", "routes"):
            when = rule.get("when")
            yield from _sources_in(when) if when is not None else ()
        for test in self._rules("tests"):
            source = test.get("given", "source")
            yield from source.texts() if source is not None else ()

    def _tables(self) -> None:
        for edit in _edits(self._rules("normalise", "routes")):
            for place in (edit.get("lookup"), edit.get("anonymise", "pseudonym")):
                if place is not None:
                    self._table(place)

    def _table(self, place: Node) -> None:
        known = self._section("tables")
        table = place.get("table")
        for name, node in table.texts() if table is not None else ():
            self._used["tables"].add(name)
            if name not in known:
                self._note(node, f"there is no table {name!r}", closest(name, known))
            elif name in self._read:
                self._column(place.get("column"), self._read[name])

    def _column(self, column: Node | None, table: Table) -> None:
        for name, node in column.texts() if column is not None else ():
            if name not in table.columns:
                self._note(node, f"the table {table.name!r} has no column {name!r}", closest(name, table.columns))

    def _alike_sources(self) -> None:
        names: dict[str, str] = {}
        addresses: dict[tuple[str, str], str] = {}
        for name, entry in self._section("sources").items():
            if name.casefold() in names:
                message = f"source {name!r} differs from {names[name.casefold()]!r} in upper and lower case only"
                self._note(Node(entry.key_position, name), message)
            names.setdefault(name.casefold(), name)
            ae_title, host = _text(entry.node, "ae_title"), _text(entry.node, "host").casefold()
            if not ae_title:
                continue
            if (ae_title, host) in addresses:
                message = f"the same ae_title and host as source {addresses[ae_title, host]!r}"
                self._note(entry.node.get("ae_title") or entry.node, message)
            addresses.setdefault((ae_title, host), name)
            if not host:
                self._warn(entry, f"source {name!r} has no host: any address may use its AE title")

    def _sends_to_itself(self) -> None:
        """Destinations at an address where the appliance listens, as far as the file tells its addresses."""
        appliance = self._root.get("appliance") or self._root
        listening = [_text(appliance, "listen") or "0.0.0.0:11112", _text(appliance.get("tls") or self._root, "listen")]
        own = [(host.strip("[]").lower(), port) for host, _, port in (each.rpartition(":") for each in listening)]
        title = _text(appliance, "ae_title") or "MICROPACS"
        for name, entry in self._section("destinations").items():
            host, port = _text(entry.node, "host").lower(), _text(entry.node, "port") or "104"
            hosts = {each for each, at in own if at == port}
            is_this_machine = _is_loopback(host)
            if is_this_machine and _text(entry.node, "ae_title") != title:  # another program may have the other address
                hosts = {each for each in hosts if each in _EVERYWHERE or _is_loopback(each)}
            if hosts and (is_this_machine or host in hosts - {*_EVERYWHERE}):
                self._warn(entry, f"destination {name!r} is this appliance itself")

    def _unused(self, section: str, says: str) -> None:
        for name, entry in self._section(section).items():
            if name not in self._used[section]:
                self._warn(entry, f"{says} {name!r}")


def _edits(rules: Iterable[Node]) -> Iterator[Node]:
    for rule in rules:
        edit = rule.get("edit")
        yield from edit.items() if edit is not None else ()


def _sources_in(condition: Node) -> Iterator[tuple[str, Node]]:
    """Every source that a condition names as exact text, however deep."""
    for item in condition.items():
        yield from _sources_in(item)
    for key, entry in condition.entries().items():
        if key == "source":
            yield from entry.node.texts()
            for operator in ("not", "exactly"):
                operand = entry.node.get(operator)
                yield from operand.texts() if operand is not None else ()
        elif key in ("all", "any", "not"):
            yield from _sources_in(entry.node)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _text(node: Node, key: str) -> str:
    found = node.get(key)
    return found.value.strip() if found is not None and isinstance(found.value, str) else ""
