"""Keys of a terminal: what they mean, and a terminal that is left as it was."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from geometry_msgs.msg import Twist  # noqa: E402
from moe_controller.teleop import keyboard_node, keys  # noqa: E402
from moe_controller.teleop.motion import START  # noqa: E402
from robot_bridge.inbox import Inbox  # noqa: E402


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A terminal: the end of the person, and that of the program, which is its standard input."""
    person, program = pty.openpty()
    with os.fdopen(program, closefd=True) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        yield person, program
    os.close(person)


def test_keys_that_are_held_together_add_up() -> None:
    held = keys.deflections("wwqi]")
    assert held is not None
    base, arm, grip = held
    assert base.tolist() == [1.0, 0.0, 1.0] and arm.tolist() == [1.0, 0.0, 0.0] and grip == 1.0
    assert keys.deflections("ws")[0].tolist() == [0.0, 0.0, 0.0]  # type: ignore[index]
    assert keys.deflections("") is None and keys.deflections("1z ") is None


def test_every_key_has_one_meaning() -> None:
    all_keys = [*keys.BASE, *keys.ARM, *keys.GRIP, *keys.SERVICES, *keys.LEAVE, "t", "y"]
    assert len(set(all_keys)) == len(all_keys)


def test_a_terminal_gives_single_keys_and_is_left_as_it_was(terminal: tuple[int, int]) -> None:
    person, program = terminal
    before = termios.tcgetattr(program)
    with keys.raw_terminal() as descriptor:
        assert keys.waiting_keys(descriptor, 0.0) == ""
        os.write(person, b"w ")
        assert keys.waiting_keys(descriptor, 5.0) == "w "
    assert termios.tcgetattr(program) == before


@pytest.mark.integration
def test_keys_drive_and_nothing_moves_after_them(ros_domain: int) -> None:
    rclpy.init()
    node, keyboard = rclpy.create_node("somebody"), keyboard_node.Keyboard()
    speeds: list[float] = []
    inbox = Inbox(node)
    inbox.subscribe(Twist, "cmd_vel", lambda message: speeds.append(message.linear.x), 100)
    clock = [100.0]
    keyboard.motion.clock = lambda: clock[0]

    def after(seconds: float, pressed: str = "") -> None:
        clock[0] += seconds
        if pressed:
            keyboard.press(pressed)
        keyboard.turn()

    try:
        after(0.05, "w")
        after(0.05, "w")
        after(1.0)
        after(0.05)
        while len(speeds) < 3:
            inbox.take()
        assert speeds[0] == speeds[1] > 0.0 and speeds[2:] == [0.0], "one zero at the end, then nothing"
        after(0.05, "w i")  # the space bar among other keys: the stop wins
        assert not keyboard.motion.alive
        np.testing.assert_array_equal(keyboard.motion.target, START)
    finally:
        keyboard.close()
        node.destroy_node()
        rclpy.try_shutdown()


def test_without_a_terminal_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert keyboard_node.main([]) == 1
    assert capsys.readouterr().err == "keyboard_teleop: this is not a terminal: start it in one of its own\n"
