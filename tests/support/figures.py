"""What a test has measured, in one line at the end of the run, with its wall time. It judges nothing."""

from collections.abc import Iterator

import pytest

_KIND = "figure"
_told: list[str] = []


def figure(text: str) -> None:
    """Tell what the test that runs has measured: in plain words, with how many of what, and its seed if it has one."""
    _told.append(text)


def note(item: pytest.Item) -> None:
    """What was told since the last test belongs to this one; other processes of the run get to know it, too."""
    item.user_properties += [(_KIND, text) for text in _told]
    _told.clear()


def figures(reports: list[pytest.TestReport]) -> Iterator[str]:
    """A line each, with the test that told it and the seconds it took."""
    for report in reports:
        for kind, text in report.user_properties:
            if kind == _KIND:
                yield f"{report.nodeid.removeprefix('tests/')}: {text}; {report.duration:.0f} s"
