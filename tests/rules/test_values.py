"""Durations, sizes, windows and flags."""

from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from rules.decision import Priority
from rules.values import After, Duration, Flag, GiveUp, PriorityWord, Size, Window


class Everything(BaseModel):
    """One field of each kind."""

    duration: Duration = 0.0
    size: Size = 0
    window: Window = Window(time(0), time(1))
    flag: Flag = False
    after: After = After("instance", 0.0)
    give_up: GiveUp = GiveUp(None, None)
    priority: PriorityWord = Priority.NORMAL


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("2m", 120), ("1h", 3600), ("7d", 604800), ("1.5h", 5400), (" 2 M ", 120), ("0s", 0)],
)
def test_duration(text: str, seconds: float) -> None:
    """A duration is a number and one of s, m, h, d."""
    assert Everything(duration=text).duration == seconds


@pytest.mark.parametrize(("text", "count"), [("500MB", 5 * 10**8), ("20GB", 2 * 10**10), ("1KiB", 1024), ("7 b", 7)])
def test_size(text: str, count: int) -> None:
    """A size is in powers of 1000, or of 1024 with an i."""
    assert Everything(size=text).size == count


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("instance", After("instance", 0.0)),
        ("series quiet 30s", After("series", 30.0)),
        ("study quiet 2m", After("study", 120.0)),
    ],
)
def test_after(text: str, after: After) -> None:
    """A route sends at once, or after a quiet time of the series or the study."""
    assert Everything(after=text).after == after


def test_give_up() -> None:
    """A delivery is given up never, after a time, or after a number of attempts."""
    texts = ("never", "7d", "20 attempts", "1 attempt")
    expected = [GiveUp(None, None), GiveUp(604800.0, None), GiveUp(None, 20), GiveUp(None, 1)]
    assert [Everything(give_up=text).give_up for text in texts] == expected


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("duration", "5 minuts", "'5 minuts' is not a duration such as 30s, 2m, 1h or 7d"),
        ("duration", "60", "'60' is not a duration such as 30s, 2m, 1h or 7d"),
        ("duration", "-3s", "'-3s' is not a duration such as 30s, 2m, 1h or 7d"),
        ("duration", "999999d", "'999999d' is longer than a century"),
        ("duration", None, "nothing stands where one text is expected"),
        ("size", "20", "'20' is not a size such as 500MB or 20GB"),
        ("window", "18-7", "'18-7' is not a window of time such as 18:00-07:00"),
        ("window", "25:00-07:00", "'25:00-07:00' is not a window of time such as 18:00-07:00"),
        ("window", "07:00-07:00", "the window '07:00-07:00' is empty: it ends when it begins"),
        ("flag", "maybe", "'maybe' is neither true nor false"),
        ("after", "study 60s", "'study 60s' is none of: instance, series quiet 60s, study quiet 60s"),
        ("after", "study quiet 60", "'60' is not a duration such as 30s, 2m, 1h or 7d"),
        ("give_up", "often", "'often' is none of: never, a duration such as 7d, a number such as 20 attempts"),
        ("give_up", "0 attempts", "at least one attempt is made: 1 attempt or more"),
        ("priority", "hihg", "'hihg' is none of: high, normal, low"),
    ],
)
def test_refused(field: str, text: str | None, message: str) -> None:
    """What cannot be read is refused in plain words that name what is allowed."""
    with pytest.raises(ValidationError) as refused:
        Everything.model_validate({field: text})
    assert [(error["loc"], error["msg"]) for error in refused.value.errors()] == [((field,), message)]


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A moment of one day."""
    return datetime(2026, 3, 2, hour, minute, second, tzinfo=UTC)


def test_window_over_midnight() -> None:
    """A window whose end is earlier than its start goes over midnight; the start is inside, the end is not."""
    night = Everything(window="18:00-07:00").window
    inside = [at(18), at(23, 59, 59), at(0), at(6, 59, 59)]
    outside = [at(7), at(12), at(17, 59, 59)]
    assert [night.contains(moment) for moment in inside + outside] == [True] * 4 + [False] * 3


def test_window_until_midnight() -> None:
    """24:00 is the end of the day, and 00:00-24:00 all of it."""
    assert Everything(window="18:00-24:00").window.contains(at(23, 59, 59))
    assert not Everything(window="18:00-24:00").window.contains(at(0))
    assert all(Everything(window="00:00-24:00").window.contains(at(hour)) for hour in range(24))


minutes = st.integers(0, 24 * 60 - 1)


@given(minutes, minutes, minutes)
def test_window_and_its_complement(start: int, end: int, moment: int) -> None:
    """A window and the one from its end to its start share no moment, and leave none out."""
    if start == end:
        return
    clock = [time(each // 60, each % 60) for each in (start, end)]
    when = at(moment // 60, moment % 60)
    assert Window(clock[0], clock[1]).contains(when) is not Window(clock[1], clock[0]).contains(when)


@given(minutes, minutes)
def test_window_round_trip(start: int, end: int) -> None:
    """A window reads what it writes."""
    if start == end:
        return
    window = Window(time(start // 60, start % 60), time(end // 60, end % 60))
    assert Everything(window=str(window)).window == window


def test_json_schema() -> None:
    """Editors see text with a pattern, and choices."""
    properties = Everything.model_json_schema()["properties"]
    assert {name: each["type"] for name, each in properties.items()} == {
        "duration": "string",
        "size": "string",
        "window": "string",
        "flag": "boolean",
        "after": "string",
        "give_up": "string",
        "priority": "string",
    }
    assert properties["priority"]["enum"] == ["high", "normal", "low"]
    assert all("pattern" in properties[name] for name in ("duration", "size", "window", "after", "give_up"))
