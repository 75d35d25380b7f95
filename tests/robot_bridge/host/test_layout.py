"""Packets between bridge and plant host."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot_bridge.host import layout

_number = st.floats(allow_nan=False)
_line = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=40)


def _row(size: int) -> st.SearchStrategy[tuple[float, ...]]:
    return st.lists(_number, min_size=size, max_size=size).map(tuple)


_lines = st.lists(_line, max_size=3).map(tuple)
_states = st.builds(
    layout.State, _number, _row(18), _row(18), _row(18), _row(4), _row(3), _row(3), _row(3), st.none() | _row(13),
    st.none() | _row(18), st.none() | _number, _lines, _lines,
    st.none() | st.tuples(st.integers(0, 2**32 - 1), _line),
)  # fmt: skip
_targets = st.builds(
    layout.Targets, _number, _row(18), _row(18), _row(18), _row(18), _row(18), st.none() | _number
)  # fmt: skip


@given(_states)
def test_states_come_back(state: layout.State) -> None:
    kind, body = layout.unpack(layout.pack_state(state))
    assert kind == layout.STATE
    assert layout.unpack_state(body) == state


@given(_targets)
def test_targets_come_back(targets: layout.Targets) -> None:
    kind, body = layout.unpack(layout.pack_targets(targets))
    assert kind == layout.TARGETS
    assert layout.unpack_targets(body) == targets


def test_what_is_not_finite_comes_back() -> None:
    """The gate and the drivers decide about it, not the wire."""
    row = (math.nan,) * 18
    state = layout.State(0.0, row, row, row, row[:4], row[:3], row[:3], row[:3], None, None, None)
    back = layout.unpack_state(layout.unpack(layout.pack_state(state))[1])
    assert all(math.isnan(value) for value in back.position)


@given(st.binary(max_size=1200))
def test_foreign_bytes_are_refused_in_one_line(data: bytes) -> None:
    for read in (layout.unpack, layout.unpack_state, layout.unpack_targets, layout.unpack_json):
        try:
            read(data)
        except layout.LayoutError as error:
            assert "\n" not in str(error)


def test_another_version_is_refused() -> None:
    packet = bytearray(layout.pack(layout.STOP))
    packet[4] += 1
    with pytest.raises(layout.LayoutError, match="another program or version"):
        layout.unpack(bytes(packet))


@pytest.mark.parametrize(
    ("kp", "effort", "holds"),
    [(0.0, 0.0, False), (1.0, 0.0, True), (0.0, -1.0, True)],
)
def test_only_damping_of_the_legs_holds_nothing(kp: float, effort: float, holds: bool) -> None:
    zeros = (0.0,) * 18
    for joint in (0, layout.LEGS - 1):
        row = tuple(1.0 if index == joint else 0.0 for index in range(18))
        targets = layout.Targets(
            0.0, zeros, zeros, tuple(effort * v for v in row), tuple(kp * v for v in row), zeros, None
        )
        assert targets.holds_legs is holds
    arm = tuple(1.0 if index >= layout.LEGS else 0.0 for index in range(18))
    assert not layout.Targets(0.0, zeros, zeros, arm, arm, zeros, None).holds_legs
