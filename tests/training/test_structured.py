"""Dictionaries become dataclasses, or one line says what is wrong and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from training.structured import ConfigError, from_dict


@dataclass(frozen=True)
class Part:
    share: float
    on: bool = False


@dataclass(frozen=True)
class Whole:
    count: int
    limits: tuple[float, float] = (0.0, 1.0)
    parts: dict[str, Part] = field(default_factory=dict)
    counts: tuple[int, ...] = ()
    part: Part | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count is negative")


def test_fills_nested_dataclasses_and_keeps_defaults() -> None:
    data = {"count": 2, "limits": [0, 3], "part": {"share": 1}, "counts": [3, 4], "extra": {"x": [1]}}
    whole = from_dict(Whole, data, "env")
    assert whole == Whole(2, (0.0, 3.0), {}, (3, 4), Part(1.0), {"x": [1]})
    assert isinstance(whole.limits[0], float)


def test_null_takes_a_part_away() -> None:
    data = {"count": 1, "parts": {"a": {"share": 0.5}, "b": None, "c": {"share": 1, "on": True}}}
    assert from_dict(Whole, data, "env").parts == {"a": Part(0.5), "c": Part(1.0, True)}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"count": 1, "cuont": 2}, "env: unknown setting cuont; known: count, limits"),
        ({}, "env: count missing"),
        ({"count": 1.5}, "env.count: wanted a whole number, got 1.5"),
        ({"count": True}, "env.count: wanted a whole number, got True"),
        ({"count": 1, "limits": [1]}, r"env.limits: wanted 2 entries, got \[1\]"),
        ({"count": 1, "limits": "ab"}, "env.limits: wanted a list, got 'ab'"),
        ({"count": 1, "parts": {"a": {"share": "x"}}}, "env.parts.a.share: wanted a number, got 'x'"),
        ({"count": 1, "parts": {"a": 3}}, "env.parts.a: wanted a group of settings, got 3"),
        ({"count": 1, "parts": {"a": {}}}, "env.parts.a: share missing"),
        ({"count": 1, "extra": 3}, "env.extra: wanted a group of settings, got 3"),
        ({"count": 1, "counts": [1, "x"]}, r"env.counts\[1\]: wanted a whole number, got 'x'"),
        ({"count": 1, "part": {"share": 1, "on": 1}}, "env.part.on: wanted true or false, got 1"),
        ({"count": -1}, "env: count is negative"),
    ],
)
def test_errors_are_one_line_with_a_path(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as info:
        from_dict(Whole, data, "env")
    assert "\n" not in str(info.value)
