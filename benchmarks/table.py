"""Figures as an aligned table for a terminal and as Markdown for the documentation. Measures and judges nothing."""

from collections.abc import Sequence

from benchmarks.figure import Figure

COLUMNS = ("what", "ours", "peer", "ratio", "reach", "beyond", "verdict")
BEGIN = "<!-- results: written by `make bench` -->"
END = "<!-- end of results -->"


def row(figure: Figure) -> tuple[str, ...]:
    """A figure's cells, in the order of COLUMNS; "" where there is nothing to say."""
    peer = "" if figure.peer is None else f"{number(figure.peer)} {figure.unit} ({figure.peer_is})"
    return (
        figure.what,
        f"{number(figure.ours)} {figure.unit}",
        peer,
        "" if figure.ratio is None else number(figure.ratio),
        str(figure.reach or ""),
        str(figure.beyond or ""),
        figure.verdict,
    )


def number(value: float) -> str:
    """Three significant digits, and no exponent."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.4f}"


def as_text(figures: Sequence[Figure]) -> str:
    """Aligned columns, then the notes."""
    rows = [COLUMNS, *map(row, figures)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, *_notes(figures, "")])


def as_markdown(figures: Sequence[Figure]) -> str:
    """A table, then the notes as a list."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(row(figure)) + " |" for figure in figures]
    return "\n".join([*lines, "", *_notes(figures, "- ")])


def replaced(document: str, results: str) -> str:
    """The document with other results between its two markers; ValueError where it lacks one."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{results}\n{END}{after}"


def _notes(figures: Sequence[Figure], bullet: str) -> list[str]:
    return [f"{bullet}{figure.what}: {figure.note}" for figure in figures if figure.note]
