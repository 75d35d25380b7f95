"""Dictionaries become dataclasses, or one line says what is wrong and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from training.structured import ConfigError, from_dict


@dataclass(frozen=True)
class Part:
    name: str
    share: float
    on: bool = False


@dataclass(frozen=True)
class Whole:
    count: int
    limits: tuple[float, float] = (0.0, 1.0)
    parts: tuple[Part, ...] = ()
    part: Part | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count is negative")


def test_fills_nested_dataclasses_and_keeps_defaults() -> None:
    data = {"count": 2, "limits": [0, 3], "part": {"name": "a", "share": 1}, "extra": {"x": [1]}}
    whole = from_dict(Whole, data, "env")
    assert whole == Whole(2, (0.0, 3.0), (), Part("a", 1.0), {"x": [1]})
    assert isinstance(whole.limits[0], float)


def test_named_parts_may_come_as_a_mapping_and_null_leaves_one_out() -> None:
    data = {"count": 1, "parts": {"a": {"share": 0.5}, "b": None, "c": {"share": 1, "on": True}}}
    assert from_dict(Whole, data, "env").parts == (Part("a", 0.5), Part("c", 1.0, True))
    listed = {"count": 1, "parts": [{"name": "a", "share": 0.5}]}
    assert from_dict(Whole, listed, "env").parts == (Part("a", 0.5),)


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
        ({"count": 1, "part": {"name": 1, "share": 1}}, "env.part.name: wanted a text, got 1"),
        ({"count": -1}, "env: count is negative"),
    ],
)
def test_errors_are_one_line_with_a_path(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as info:
        from_dict(Whole, data, "env")
    assert "\n" not in str(info.value)
