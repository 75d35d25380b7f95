"""Changes to composed configurations, without the time that Hydra takes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy in which the entries at these dotted paths are replaced."""
    result = copy.deepcopy(dict(values))
    for path, value in changes.items():
        *groups, name = path.split(".")
        place = result
        for group in groups:
            place = place[group]
        place[name] = value
    return result
