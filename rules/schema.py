"""The rules of the configuration as pydantic models: what may be written and what it means. They decide nothing."""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from rules.attribute import Attribute
from rules.cases import TestCase
from rules.clause import Clause
from rules.conditions import compile_condition
from rules.decision import Dispatch, Late, Priority
from rules.edits import AnyEdit
from rules.forms import ConditionForm, without_default
from rules.problems import closest
from rules.values import After, Flag, PriorityWord, parse_late, refusal, refused_at, text_of

# Names that stand for something else where rules are named: in the database, in verdicts, in explanations.
BY_HAND = "by hand"
OTHERWISE = "otherwise"

Fallback = Literal["archive", "hold", "reject"]
_FALLBACKS: tuple[Fallback, ...] = ("archive", "hold", "reject")


def _destinations(value: object) -> object:
    """One destination may stand without a list."""
    return [value] if isinstance(value, str) else value


def _section(value: object) -> object:
    """A section whose every rule is commented out is an empty one."""
    return [] if value is None else value


def _edits(value: object) -> object:
    """Never an empty list: where edits are commented out, nothing is to be sent un-edited by oversight."""
    if isinstance(value, list | tuple) and value:
        return value
    raise refusal(
        "edit: takes a list of edits, each after a dash" + ("" if value else "; leave it out to edit nothing")
    )


def _otherwise(value: object) -> Fallback | tuple[str, ...]:
    """One of the three words, or a list of destinations."""
    if isinstance(value, list | tuple):
        if not value:
            raise refusal("the list of destinations is empty; write archive to send nowhere")
        return tuple(text_of(name) for name in value)
    if isinstance(value, str):
        for word in _FALLBACKS:
            if value.strip().lower() == word:
                return word
        raise refusal(
            f"{value!r} is none of: archive, hold, reject, a [list of destinations]", closest(value, _FALLBACKS)
        )
    raise refusal("otherwise is archive, hold, reject or a list of destinations")


Edits = Annotated[
    tuple[AnyEdit, ...],
    BeforeValidator(_edits, json_schema_input_type=Annotated[list[AnyEdit], Field(min_length=1)]),
]
Otherwise = Annotated[
    Fallback | tuple[str, ...], PlainValidator(_otherwise, json_schema_input_type=Fallback | list[str])
]


class Rule(BaseModel):
    """What every rule may carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200, description="What the rule does, in words; unique among all rules.")
    description: str = Field(default="", description="Why the rule is there, for whoever reads it in ten years.")
    contact: str = Field(default="", description="Whom to ask about the rule.")
    disabled: Flag = Field(default=False, description="true switches the rule off without deleting it.")
    when: Annotated[Clause | None, PlainValidator(compile_condition, json_schema_input_type=ConditionForm)] = Field(
        default=None,
        description="The rule is for instances of which this holds; without it, for every instance.",
        json_schema_extra=without_default,
    )
    edit: Edits
    warn: str | None = Field(
        default=None,
        min_length=1,
        max_length=120,
        description="The instance goes on, and this is recorded for people, once a study.",
        json_schema_extra=without_default,
    )

    @cached_property
    def written(self) -> tuple[Attribute, ...]:
        """The attributes that its edits may change, each once."""
        written = {attribute.steps: attribute for edit in self.edit for attribute in edit.writes()}
        return tuple(written.values())


class NormaliseRule(Rule):
    """A rule on arrival: it edits the header that the archive keeps and routes see, holds the instance, or warns."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in ("edit", "hold", "warn")]})

    edit: Edits = Field(
        default=(),
        description="Edits in order, each seeing the result of the one before.",
        json_schema_extra=without_default,
    )
    hold: str | None = Field(
        default=None,
        min_length=1,
        max_length=120,
        description="Instead of edits: the instance waits for a person, who is told this.",
        json_schema_extra=without_default,
    )

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        told = [(key, text) for key, text in (("hold", self.hold), ("warn", self.warn)) if text is not None]
        if not self.edit and not told:
            needed = "a rule needs edit: with edits, or hold: or warn: with what a person is told"
            raise refused_at(("edit",), self.edit, needed)
        if bool(self.edit) + len(told) > 1:
            raise refused_at((told[-1][0],), told[-1][1], "a rule edits or holds or warns: write two rules")
        return self


class RouteRule(Rule):
    """A rule that sends an instance to destinations, with edits on the copy only."""

    edit: Edits = Field(
        default=(),
        description="Edits on the copy that is sent, in order; the archive's stays as it is.",
        json_schema_extra=without_default,
    )
    after: After = Field(
        default=After("instance", 0.0),
        description="When to send: instance (at once), series quiet 60s or study quiet 60s.",
        json_schema_extra={"default": "instance", "examples": ["instance", "series quiet 60s", "study quiet 60s"]},
    )
    priority: PriorityWord = Field(
        default=Priority.NORMAL,
        description="high goes before normal, normal before low.",
        json_schema_extra={"default": "normal"},
    )
    late: Annotated[Late, BeforeValidator(parse_late)] = Field(
        default="send",
        description="What comes after the quiet time: send (it alone, after a new quiet time), hold or ignore.",
    )
    to: Annotated[tuple[str, ...], BeforeValidator(_destinations, json_schema_input_type=str | list[str])] = Field(
        default=(),
        json_schema_extra=without_default,
        description="The names of the destinations. Where two routes name one, the first one's edits count.",
    )
    stop: Flag = Field(
        default=False, description="true: where this rule matches, the rules below it are not looked at."
    )

    @cached_property
    def dispatches(self) -> tuple[Dispatch, ...]:
        """What it asks for each of its destinations."""
        after = self.after
        return tuple(
            Dispatch(name, self.name, self.priority, after.scope, after.quiet_seconds, self.late) for name in self.to
        )

    @model_validator(mode="after")
    def _sends_somewhere(self) -> Self:
        if not self.to and not self.stop:
            raise refused_at(("to",), self.to, "a route needs to: and a destination (or stop: true, to send nowhere)")
        if self.late != "send" and self.after.scope == "instance":
            raise refused_at(("late",), self.late, "late: needs after: series quiet or study quiet with a time")
        return self


class RulesSettings(BaseModel):
    """The part of the configuration that decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    normalise: Annotated[tuple[NormaliseRule, ...], BeforeValidator(_section)] = Field(
        default=(), description="Rules on arrival, in order, every one that matches; the archive keeps the result."
    )
    routes: Annotated[tuple[RouteRule, ...], BeforeValidator(_section)] = Field(
        default=(), description="Rules that send, in order, every one that matches, on the normalised header."
    )
    otherwise: Otherwise = Field(
        default="archive",
        description="What happens to an instance that no route matched: archive (keep only), hold, reject, or a list.",
    )
    tests: Annotated[tuple[TestCase, ...], BeforeValidator(_section)] = Field(
        default=(), description="Examples of what the rules must do; one that fails refuses the whole configuration."
    )

    @property
    def rules(self) -> "tuple[NormaliseRule | RouteRule, ...]":
        """All rules, in the order in which they are come to."""
        return (*self.normalise, *self.routes)
