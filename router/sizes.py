"""Numbers of bytes for people. Reads none that people write: those are the configuration's."""


def size(count: float) -> str:
    """Such as `1.5 GB`, with decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
