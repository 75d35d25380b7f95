"""The gamepad's mapping file, shipped and broken, and what messages mean with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moe_controller.teleop.joy_map import JoyMap, JoyMapError, load_joy_map

SHIPPED = Path(__file__).parents[3] / "ros2_ws/src/moe_controller/config/joy.yaml"


@pytest.fixture(scope="module")
def shipped() -> JoyMap:
    return load_joy_map(SHIPPED)


def test_the_shipped_file(shipped: JoyMap) -> None:
    axes, buttons = [0.0] * 8, [0] * 11
    axes[1], axes[3], axes[0] = 1.0, -0.5, 0.05
    buttons[4] = buttons[0] = 1
    asked = shipped.read(axes, buttons)
    assert asked.held and asked.base.tolist() == [1.0, 0.0, 0.0] and asked.arm.tolist() == [0.0, -0.5, 0.0]
    assert asked.grip == 1.0 and asked.pressed == {"dead_man", "open"}


@settings(deadline=None)
@given(axes=st.lists(st.floats(), max_size=20), buttons=st.lists(st.integers(-5, 5), max_size=20))
def test_any_message_is_within_limits(shipped: JoyMap, axes: list[float], buttons: list[int]) -> None:
    asked = shipped.read(axes, buttons)
    assert all(-1.0 <= value <= 1.0 for value in (*asked.base, *asked.arm, asked.grip))
    assert asked.held == (len(buttons) > 4 and bool(buttons[4]))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("forward: {axis: 1}", "forward: {axis: -1}", "axes.forward needs an axis"),
        ("forward: {axis: 1}", "forward: {axis: 1, scale: 3}", "axes.forward needs an axis"),
        ("forward: {axis: 1}", "", "axes.forward needs an axis"),
        ("dead_man: 4", "", "buttons.dead_man must be"),
        ("dead_man: 4", "dead_man: 5", "two of the buttons"),
        ("dead_zone: 0.1", "dead_zone: none", "dead_zone must be"),
        ("dead_zone: 0.1", "colour: red", "it may hold axes"),
        ("axes:", "axes: [", "is no yaml file"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "joy.yaml"
    path.write_text(SHIPPED.read_text().replace(old, new))
    with pytest.raises(JoyMapError, match=words) as error:
        load_joy_map(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(JoyMapError, match="cannot be read"):
        load_joy_map(tmp_path / "none.yaml")
