"""Private attributes that hold no identity: the safe list (PS3.15 table E.3.10-1) and what PET quantification needs."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

SafePrivate = frozenset[tuple[str, int, int]]  # creator, group, low byte of the element


@lru_cache(maxsize=1)
def safe_private() -> SafePrivate:
    """The private attributes that may be kept under "retain safe private"; dates among them are shifted as others."""
    text = resources.files(__package__).joinpath("safe-private.yaml").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return frozenset(
        (creator, int(name[1:5], 16), int(name[8:10], 16))
        for creator, attributes in loaded["creators"].items()
        for name in attributes
    )
