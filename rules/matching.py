"""Which rules are for an instance, in their order: asked as they would be one by one. It edits nothing.

The instances of a series answer most questions alike, so what follows from some answers is worked out once: they lead
along a tree that grows as instances come. No value stands in it; each question remembers a few of the last ones.
"""

from collections.abc import Sequence

from rules.clause import Clause
from rules.operators import Holds
from rules.schema import Rule
from rules.subject import Reading, Subject

_MOST_VALUES = 64  # remembered by one question; then all are forgotten, lest a patient's stay
_LONGEST_VALUES = 1024  # characters; longer ones are not remembered
_MOST_NODES = 8192  # of one tree; then it grows anew


class Question:
    """What some conditions look at. Each has a bit: an answer is made of those that hold, `bits` of all."""

    def __init__(self, subject: Subject | None) -> None:
        """Without a subject what is asked depends on more than one value, and no answer is remembered."""
        self.bits = 0
        self._subject = subject
        self._tests: list[tuple[int, Holds]] = []
        self._answers: dict[tuple[str, ...] | None, int] = {}

    def add(self, bit: int, holds: Holds) -> None:
        """One more condition."""
        self.bits |= bit
        self._tests.append((bit, holds))

    def answer(self, reading: Reading) -> int:
        """The bits of the conditions that hold. RulesError if what they look at cannot be read."""
        if self._subject is None:
            return self._ask(reading)
        values = reading.values(self._subject)
        answer = self._answers.get(values)
        if answer is None:
            answer = self._ask(reading)
            if len(self._answers) >= _MOST_VALUES:
                self._answers.clear()
            if len("\\".join(values or ())) <= _LONGEST_VALUES:
                self._answers[values] = answer
        return answer

    def _ask(self, reading: Reading) -> int:
        return sum(bit for bit, holds in self._tests if holds(reading))


class Node:
    """How far the rules have been gone through: up to the one at `position`, which waits for the answer to `question`.

    Without a question that rule matches, or there are no more.
    """

    __slots__ = ("branches", "holding", "known", "position", "question")

    def __init__(self, position: int, known: int, holding: int, question: Question | None) -> None:
        self.position = position
        self.known = known
        self.holding = holding
        self.question = question
        self.branches: dict[int, Node] = {}


class Matching:
    """The rules with one question a subject, and the tree; all threads share it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._asked: dict[int, tuple[int, Question]] = {}  # by the identity of a leaf, which `rules` keep
        self._starts: dict[int, Node] = {}
        self._nodes = 0
        by_name: dict[str, Question] = {}
        leaves = [leaf for rule in rules if rule.when for leaf in rule.when.leaves()]
        for number, leaf in enumerate(leaves):
            question = Question(leaf.subject)
            if leaf.subject is not None:
                question = by_name.setdefault(leaf.subject.name, question)
            question.add(1 << number, leaf.holds)
            self._asked[id(leaf)] = 1 << number, question

    def start(self, position: int = 0) -> Node:
        """Where nothing is known, from the rule at `position` on."""
        node = self._starts.get(position)
        if node is None:
            node = self._starts[position] = self._node(position, 0, 0)
        return node

    def after(self, node: Node, answer: int = 0) -> Node:
        """Where the answer to the node's question leads; from a rule that matches, to the next."""
        found = node.branches.get(answer)
        if found is None:
            question = node.question
            found = node.branches[answer] = (
                self._node(node.position + 1, node.known, node.holding)
                if question is None
                else self._node(node.position, node.known | question.bits, node.holding | answer)
            )
        return found

    def _node(self, position: int, known: int, holding: int) -> Node:
        """The first rule from `position` on that matches by what is known, or of which too little is."""
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            self._starts, self._nodes = {}, 0  # an instance that is under way keeps its own
        for at in range(position, len(self._rules)):
            rule = self._rules[at]
            found = not rule.disabled and (rule.when is None or self._settled(rule.when, known, holding))
            if found:
                return Node(at, known, holding, found if isinstance(found, Question) else None)
        return Node(len(self._rules), known, holding, None)

    def _settled(self, clause: Clause, known: int, holding: int) -> Question | bool:
        """Whether the clause holds, by the bits that are known and those of them that hold; else what to ask first."""
        if not clause.parts:
            bit, question = self._asked[id(clause)]
            return bool(holding & bit) if known & bit else question
        if clause.operator == "not":
            found = self._settled(clause.parts[0], known, holding)
            return found if isinstance(found, Question) else not found
        for part in clause.parts:
            found = self._settled(part, known, holding)
            if found is not (clause.operator == "all"):
                return found
        return clause.operator == "all"
