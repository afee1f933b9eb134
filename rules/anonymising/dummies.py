"""Values that say nothing, one for each VR (PS3.5 6.2), where an attribute must not be empty."""

WORD = "ANONYMISED"
_TEXTS = {
    "AE": WORD,
    "AS": "000D",
    "AT": "(0000,0000)",
    "CS": WORD,
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "IS": "0",
    "LO": WORD,
    "LT": WORD,
    "PN": WORD,
    "SH": WORD,
    "ST": WORD,
    "TM": "000000",
    "UC": WORD,
    "UR": "about:blank",
    "UT": WORD,
} | dict.fromkeys(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"), "0")
_BYTES = {"OB": 2, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2, "UN": 2}  # the smallest whole number of values
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})

EMPTY_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)


def dummy_text(vr: str, values: int = 1) -> tuple[str, ...] | None:
    """As many dummy values as there were where they are numbers, else one; None for a VR that holds no text."""
    text = _TEXTS.get(vr)
    return None if text is None else (text,) * (max(1, values) if vr in _NUMBERS else 1)


def dummy_bytes(vr: str) -> bytes:
    """Zeros, as many as the VR's smallest value has."""
    return bytes(_BYTES.get(vr, 2))
