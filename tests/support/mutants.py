"""Makes mutants of a Python file, one operator changed in each, and runs tests against one. It judges no mutant."""

import ast
import copy
import importlib.abc
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
_TOLD = {
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.INTERRUPTED,
}  # the last: it cannot be imported
_CALLS = {"any": "all", "all": "any", "any_of": "all_of", "all_of": "any_of", "startswith": "endswith"} | {
    "endswith": "startswith"
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file with one operator changed: what stood there, what stands there now, on which line, and the whole text."""

    file: str
    line: int
    before: str
    after: str
    source: str

    @property
    def module(self) -> str:
        """The name its file is imported by."""
        return self.file.removesuffix(".py").replace("/", ".")

    @property
    def name(self) -> str:
        """What was changed, without the line, which moves."""
        return f"{Path(self.file).name}: {self.before} -> {self.after}"


def mutants_of(file: str) -> Iterator[Mutant]:
    """Every mutant of a file of the repository."""
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    for number, node in enumerate(ast.walk(tree)):
        for changed in _changed(node):
            mutated = copy.deepcopy(tree)
            _Replaced(number, list(ast.walk(mutated)), changed).visit(mutated)
            line = getattr(node, "lineno", 0)
            yield Mutant(file, line, ast.unparse(node), ast.unparse(changed), ast.unparse(mutated))


class _Replaced(ast.NodeTransformer):
    """Puts a node in the place of the one with this number."""

    def __init__(self, number: int, nodes: list[ast.AST], new: ast.AST) -> None:
        self.old, self.new = nodes[number], new

    def visit(self, node: ast.AST) -> ast.AST:
        """The new node for the old one, every other as it is."""
        return self.new if node is self.old else self.generic_visit(node)


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    """The node with its operator changed, in every way."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in _COMPARISONS[type(operator)]:
                changed = copy.deepcopy(node)
                changed.ops[index] = other()
                yield changed
    elif isinstance(node, ast.BoolOp):
        changed = copy.deepcopy(node)
        changed.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield changed
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield copy.deepcopy(node.operand)
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        changed = copy.deepcopy(node)
        changed.op = _ARITHMETIC[type(node.op)]()
        yield changed
    elif isinstance(node, ast.Call):
        yield from _changed_call(node)


def _changed_call(node: ast.Call) -> Iterator[ast.AST]:
    """The call of another function that takes the same."""
    changed = copy.deepcopy(node)
    function = changed.func
    if isinstance(function, ast.Name) and function.id in _CALLS:
        function.id = _CALLS[function.id]
        yield changed
    elif isinstance(function, ast.Attribute) and function.attr in _CALLS:
        function.attr = _CALLS[function.attr]
        yield changed


def survivors(mutants: Sequence[Mutant], tests: Sequence[str]) -> list[Mutant]:
    """The mutants with which all tests pass, each tried in a process of its own."""
    request = json.dumps({"mutants": [(mutant.module, mutant.source) for mutant in mutants], "tests": list(tests)})
    command = [sys.executable, "-m", "tests.support.mutants"]
    done = subprocess.run(command, cwd=REPOSITORY, input=request, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [mutants[number] for number in json.loads(done.stdout)]


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives one module another source than that of its file."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """The module itself, where it is the one."""
        return spec_from_loader(name, self) if name == self.module else None

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        """The other source."""
        return self.source


def _try(module: str, source: str, tests: list[str]) -> int:
    """Start the tests with the mutant in a fork of this process, which has loaded all that takes long."""
    child = os.fork()
    if child:
        return child
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    sys.meta_path.insert(0, _Finder(module, source))
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
    os._exit(pytest.main([*options, *tests]))


def main() -> None:
    """Read mutants and tests, and print the numbers of the mutants that survive."""
    for each in ("hypothesis", "jsonschema", "pydantic", "pydicom.datadict", "pydicom.filewriter", "re2", "yaml"):
        importlib.import_module(each)
    request = json.load(sys.stdin)
    running: dict[int, int] = {}
    alive = []
    for number, (module, source) in enumerate(request["mutants"]):
        running[_try(module, source, request["tests"])] = number
        while len(running) >= (os.cpu_count() or 1) or (number == len(request["mutants"]) - 1 and running):
            child, status = os.wait()
            code = os.waitstatus_to_exitcode(status)
            ended = running.pop(child)
            if code not in _TOLD:
                sys.exit(f"the tests could not be run on {module} ({code})")
            if code == pytest.ExitCode.OK:
                alive.append(ended)
    print(json.dumps(sorted(alive)))


if __name__ == "__main__":
    main()
