"""Drives an arm with `piper_control`, as its own documentation does, and prints what it saw as JSON.

`python -m tests.support.piper_control_client CHANNEL`. piper_control knows socketcan only; but piper_sdk keeps one
object per channel, so that one which is opened on another backend first is taken over.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable

import piper_sdk
from piper_control import piper_control, piper_init, piper_interface

GOAL = (0.2, 0.6, -0.5, 0.2, -0.3, 0.4)
REST = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def wait(condition: Callable[[], bool], patience: float = 20.0) -> bool:
    """Return whether a condition came true in time."""
    deadline = time.monotonic() + patience
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def error(robot: piper_interface.PiperInterface, goal: tuple[float, ...]) -> float:
    """Return the greatest distance of a joint from a goal, rad."""
    return max(abs(a - b) for a, b in zip(robot.get_joint_positions(), goal, strict=True))


def main(channel: str) -> None:
    """Enable, move, grip, move in MIT mode, stop, reset, park, disable."""
    warnings.simplefilter("ignore", DeprecationWarning)
    sdk = piper_sdk.C_PiperInterface_V2(channel, judge_flag=False, can_auto_init=False)
    sdk.CreateCanBus(channel, bustype="loopcan", judge_flag=False)
    robot = piper_interface.PiperInterface(channel)
    seen: dict[str, object] = {"firmware": robot.get_piper_firmware_version()}
    piper_init.enable_arm(robot, timeout_seconds=20.0)
    seen["enabled"] = robot.is_arm_enabled() and not robot.is_gripper_enabled()
    piper_init.enable_gripper(robot, timeout_seconds=20.0)
    seen["control"] = robot.control_mode.name

    position = piper_control.BuiltinJointPositionController(robot, rest_position=None)
    position.start()
    seen["arrived"] = position.move_to_position(GOAL, threshold=0.01, timeout=20.0)
    seen["error"] = error(robot, GOAL)
    seen["rate"] = sdk.GetCanFps()
    robot.command_gripper(position=0.05, effort=1.0)
    seen["gripper"] = wait(lambda: abs(robot.get_gripper_state()[0] - 0.05) < 1e-3)

    mit = piper_control.MitJointPositionController(robot, kp_gains=10.0, kd_gains=0.8, rest_position=None)
    mit.start()
    near = (0.3, *GOAL[1:])
    deadline = time.monotonic() + 20.0
    while abs(robot.get_joint_positions()[0] - 0.3) > 0.05 and time.monotonic() < deadline:
        mit.command_joints(near)
        time.sleep(0.005)
    seen["mit"] = robot.get_joint_positions()[0]

    robot.set_emergency_stop(piper_interface.EmergencyStop.STOP)
    seen["stopped"] = wait(lambda: robot.arm_status.name == "EMERGENCY_STOP")
    piper_init.reset_arm(robot, timeout_seconds=20.0)
    seen["reset"] = (robot.arm_status.name, robot.control_mode.name, robot.is_arm_enabled())
    robot.set_collision_protection([3] * 6)
    time.sleep(0.1)
    robot.get_collision_protection()
    seen["levels"] = wait(lambda: robot.get_collision_protection() == [3] * 6)
    seen["parked"] = position.move_to_position(REST, threshold=0.02, timeout=20.0)
    robot.disable_arm()
    seen["disabled"] = wait(lambda: not robot.is_arm_enabled())
    seen["errors"] = robot.get_motor_errors()
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
