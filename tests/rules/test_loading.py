"""Strict YAML: what is text, what is refused, and where a problem is said to be."""

import pytest
from pydantic import BaseModel, ConfigDict

from rules.document import LoadError, Problem
from rules.loading import compose
from rules.problems import closest, problems_from

MAPPING = (
    "1:5: mapping values are not allowed in this context: put a text that holds ': ' in quotes, "
    "or look at the indentation"
)
BELONGS = " those it belongs to, or a text before it needs quotes"
DASH = " what it belongs to, or its dash is missing"
ALIAS = "; a text that begins with * needs quotes"


def problems(text: str) -> list[str]:
    """The problems of a text, without the file name."""
    with pytest.raises(LoadError) as caught:
        compose(text, "site.yaml")
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize("word", ["00123", "ON", "no", "1e3", "12:30:00", "2026-01-02", "0x10", "true", "1_0", "NULL"])
def test_every_scalar_is_text(word: str) -> None:
    """What YAML would turn into a number, a date or a truth value stays the text that was written."""
    assert compose(f"a: {word}", "site.yaml").plain() == {"a": word}


def test_empty_is_none_and_quoted_empty_is_text() -> None:
    """Nothing, `null` and `~` are None; quotes make them text."""
    text = "a:\nb: null\nc: ~\nd: ''\ne: \"null\""
    assert compose(text, "site.yaml").plain() == {"a": None, "b": None, "c": None, "d": "", "e": "null"}


def test_an_empty_file_is_none() -> None:
    """A file without a value is a document whose root is None."""
    assert compose("# only a comment\n", "site.yaml").plain() is None


def test_byte_order_mark_is_passed_over() -> None:
    """A byte order mark, as Windows editors write it, is no part of the first key."""
    assert compose("\ufeffa: b", "site.yaml").plain() == {"a": "b"}


def test_anchors_aliases_and_merge() -> None:
    """An alias is what its anchor names; `<<` adds the keys that are not there."""
    text = "base: &b {port: 104, window: x}\none: {<<: *b, port: 4006}\ntwo: {<<: [*b, {host: h}]}\nlist: [*b]\n"
    plain = compose(text, "site.yaml").plain()
    assert plain["one"] == {"port": "4006", "window": "x"}
    assert plain["two"] == {"port": "104", "window": "x", "host": "h"}
    assert plain["list"] == [{"port": "104", "window": "x"}]


def test_a_quoted_merge_key_is_text() -> None:
    """`"<<"` in quotes is an ordinary key."""
    assert compose('{"<<": x}', "site.yaml").plain() == {"<<": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "3:1: duplicate key 'a', first on line 1"),
        ("x: {a: 1, a: 2}", "1:11: duplicate key 'a', first on line 1"),
        ("a: !!python/object:os.system {}", "1:4: tag '!!python/object:os.system' is not allowed; every value is text"),
        ("a: !!int 5", "1:4: tag '!!int' is not allowed; every value is text"),
        ("a: !env HOME", "1:4: tag '!env' is not allowed; every value is text"),
        ("a:\n\tb: 1", "2:1: a tab; YAML is indented with spaces"),
        ("a: @x", "1:4: a value cannot start with '@'; put the text in quotes"),
        ("a: b: c", MAPPING),
        ("a:\n  - b: 1\n - c: 2", "3:2: did not find expected key: this line is indented unlike" + BELONGS),
        ("a:\n  - b: 1\n   c: 2", "3:4: did not find expected '-' indicator: this line is indented unlike" + DASH),
        ("a: 1\nb:[c]\n", "3:1: could not find expected ':': a key has a colon and a space after it"),
        ('a: "\\d"', "1:5: found unknown escape character: write a text with a backslash in single quotes"),
        (
            "a: *x*",
            "1:6: did not find expected alphabetic or numeric character: a text that begins with * needs quotes",
        ),
        (
            "a: & x",
            "1:5: did not find expected alphabetic or numeric character: a text that begins with & needs quotes",
        ),
        ("a: \u201cb\u201d", "1:4: \u201c is no quote in YAML: write \" or '"),
        ("a: *nowhere", "1:4: alias '*nowhere' has no anchor '&nowhere' before it" + ALIAS),
        ("a: &a [*a]", "1:8: alias '*a' stands inside what it names"),
        ("a: 1\n---\nb: 2", "2:1: a second document starts here; a file holds one"),
        ("~: 1", "1:1: a key must be text"),
        ("a: {{x}: 1}", "1:5: a key must be text; a list or mapping cannot be one (braces in a text need quotes)"),
        ("a: 1\nü: \x01", "2:4: a control character; only text is allowed"),
        ("<<: text", "1:5: '<<' takes a mapping or a list of mappings"),
    ],
)
def test_what_a_site_did_not_mean_is_refused(text: str, expected: str) -> None:
    """Each mistake is one problem at its own line and column."""
    assert problems(text) == [expected]


def test_all_problems_are_told_at_once() -> None:
    """Two duplicates and a tag are three problems, in the order of the file."""
    assert len(problems("a: 1\na: 2\nb: !!int 3\nc: {d: 1, d: 2}")) == 3


def test_an_alias_bomb_is_refused_before_it_expands() -> None:
    """Aliases of aliases that stand for a billion values are an error, at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (problem,) = problems("\n".join(lines))
    assert "aliases expand to more than 10,000 values" in problem


def test_a_long_file_without_aliases_is_no_bomb() -> None:
    """The limit is on what aliases stand for; ten thousand rules that are written out are fine."""
    assert len(compose("\n".join(f"- {{name: rule {n}}}" for n in range(10_000)), "site.yaml").plain()) == 10_000


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000])
def test_deep_nesting_is_refused(text: str) -> None:
    """A file nested without end is an error, never an exhausted stack."""
    assert "nested more than 64 levels deep" in problems(text)[0]


def test_positions_point_at_values_and_keys() -> None:
    """A position is that of the value, of the key when asked, of the holder's key when something is missing."""
    document = compose("a:\n  b: [x, {c: 1}]\n", "site.yaml")
    assert document.position(("a", "b", 0)) == ("site.yaml", 2, 7)
    assert document.position(("a", "b", 1, "c")) == ("site.yaml", 2, 14)
    assert document.position(("a", "b", 1, "c"), of_key=True) == ("site.yaml", 2, 11)
    assert document.position(("a", "b", 1, "tag", "c")) == ("site.yaml", 2, 14)
    assert document.position(("a", "missing")) == ("site.yaml", 1, 1)


class Peer(BaseModel):
    """A small schema."""

    model_config = ConfigDict(extra="forbid")
    host: str
    port: int = 104


class Site(BaseModel):
    """A schema with a mapping of schemas."""

    model_config = ConfigDict(extra="forbid")
    peers: dict[str, Peer]


def refused(text: str) -> list[str]:
    """What the small schema refuses in a text, as whole lines."""
    document = compose(text, "site.yaml")
    with pytest.raises(ValueError) as caught:
        Site.model_validate(document.plain())
    return [str(problem) for problem in sorted(problems_from(caught.value, document, Site))]


def test_schema_errors_have_a_place_and_a_suggestion() -> None:
    """An unknown key is pointed at with the key that was meant; what is missing at its holder."""
    assert refused("peers:\n  a: {hots: x}\n  b: {host: y, port: many}\n") == [
        "site.yaml:2:3: 'host' is missing",
        "site.yaml:2:7: unknown key 'hots', did you mean 'host'?",
        "site.yaml:3:22: 'port' must be a whole number, not 'many'",
    ]


def test_no_value_is_told_in_plain_words() -> None:
    """A key without a value is said to have none."""
    assert refused("peers:\n  a: {host: x, port: }\n  b:\n") == [
        "site.yaml:2:16: 'port' has no value",
        "site.yaml:3:3: 'b' has no value",
    ]


def test_a_problem_reads_as_one_line() -> None:
    """file:line:column: message, did you mean …? – what editors make clickable."""
    assert str(Problem("a.yaml", 3, 7, "unknown key 'hst'", "host")) == (
        "a.yaml:3:7: unknown key 'hst', did you mean 'host'?"
    )


def test_closest_minds_no_case() -> None:
    """A suggestion is found across case, and none is made when nothing is close."""
    assert closest("patientid", ["PatientID", "PatientName"]) == "PatientID"
    assert closest("zzz", ["PatientID"]) is None
