"""How far leg odometry drifts while the shipped policy walks the emulated robot; without network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array
from go2_piper_driver.emulation.go2.emulated_go2 import EmulatedGo2
from go2_piper_driver.emulation.physics import PERIOD, Drive, Physics
from go2_piper_driver.estimation.leg_odometry import LegOdometry
from go2_piper_driver.go2.state import read_state
from go2_piper_driver.go2.wire import unpack_state
from moe_controller.controller import MoeController
from moe_controller.policy import OnnxPolicy
from moe_controller.shipped import shipped_model
from numpy.typing import NDArray
from robot_bridge.types import BaseState, RobotState

Array = NDArray[np.float64]

COMMANDS = ((0.5, 0.0, 0.0), (0.4, 0.0, 0.5), (0.0, 0.0, 0.0), (0.0, 0.2, 0.0), (0.4, 0.0, -0.5), (0.7, 0.0, 0.0))
"""vx, vy in m/s, wz in rad/s, one after the other."""
_STAND_TIME = 2.5
_CONTROL_STEPS = 10


@dataclass(frozen=True)
class Drift:
    """Odometry against the truth, from the moment the policy starts."""

    distance: float
    """Walked, m."""
    position_error: float
    """At the end, m in the plane, with the yaw at the start taken out."""
    worst_height_error: float
    """m."""
    velocity_error: float
    """RMS in the plane, m/s."""
    duration: float
    """s."""

    @property
    def drift(self) -> float:
        """Error over distance."""
        return self.position_error / self.distance


class _Walk:
    """The robot in emulation, read through the bytes of its own messages."""

    def __init__(self) -> None:
        self.physics = Physics()
        self.go2 = EmulatedGo2(self.physics, mode="")
        self.odometry = LegOdometry()
        self._q, self._kp, self._kd = (joint_array(name) for name in ("rest", "kp", "kd"))
        self.estimate: BaseState | None = None
        self.truth: list[Array] = []
        self.estimates: list[Array] = []
        self.errors: list[float] = []

    def step(self, targets: Array) -> RobotState:
        physics = self.physics
        for drive, row in ((physics.drive_legs, LEG_SLICE), (physics.drive_arm, ARM_SLICE)):
            zeros = np.zeros_like(targets[row])
            drive(Drive(targets[row], zeros, zeros, self._kp[row], self._kd[row]))
        physics.step()
        sample = self.go2.state()
        assert sample is not None
        state = read_state(unpack_state(sample), physics.time)
        self.estimate = self.odometry.step(
            state.stamp, state.position, state.velocity, state.orientation, state.angular_velocity,
            state.linear_acceleration, state.foot_force,
        )  # fmt: skip
        return RobotState(
            stamp=physics.time,
            position=physics.position,
            velocity=physics.velocity,
            effort=physics.effort,
            orientation=state.orientation,
            angular_velocity=state.angular_velocity,
            linear_acceleration=state.linear_acceleration,
            base=self.estimate,
        )

    def note(self) -> None:
        position, _, velocity = self.physics.base
        assert self.estimate is not None
        self.truth.append(position)
        self.estimates.append(self.estimate.position)
        self.errors.append(float(np.sum((self.odometry.velocity - velocity)[:2] ** 2)))


def measure(seconds_each: float = 5.0, commands: tuple[tuple[float, float, float], ...] = COMMANDS) -> Drift:
    """Stand up, then walk at each of the commands for a while; return how far the odometry is off."""
    walk = _Walk()
    rest, stand = joint_array("rest"), joint_array("stand")
    steps = round(_STAND_TIME / PERIOD)
    for index in range(steps):
        blend = 0.5 - 0.5 * np.cos(np.pi * min(index / (0.8 * steps), 1.0))
        state = walk.step(rest + blend * (stand - rest))
    controller = MoeController(OnnxPolicy(shipped_model()))
    targets = stand
    for command in commands:
        for index in range(round(seconds_each / PERIOD)):
            if index % _CONTROL_STEPS == 0:
                controller.set_velocity(np.array(command))
                targets = controller.step(state, state.stamp, True).position
                walk.note()
            state = walk.step(targets)
    truth, estimates = np.array(walk.truth), np.array(walk.estimates)
    moved = truth[:, :2] - truth[0, :2]
    error = np.linalg.norm((estimates[:, :2] - estimates[0, :2] - moved)[-1])
    return Drift(
        distance=float(np.linalg.norm(np.diff(truth[:, :2], axis=0), axis=1).sum()),
        position_error=float(error),
        worst_height_error=float(np.abs(estimates[:, 2] - truth[:, 2]).max()),
        velocity_error=float(np.sqrt(np.mean(walk.errors))),
        duration=len(walk.truth) * PERIOD * _CONTROL_STEPS,
    )


def run() -> list[str]:
    """Return the lines of the report."""
    walks = {f"{c[0]:g} m/s, {c[1]:g} m/s, {c[2]:g} rad/s": measure(10.0, (c,)) for c in COMMANDS if any(c)}
    walks["one after the other"] = measure()
    return [
        f"leg odometry, {name}: {one.distance:.1f} m walked, off by {one.position_error:.2f} m = "
        f"{100 * one.drift:.1f} % (limit 5 %), height by {100 * one.worst_height_error:.1f} cm"
        for name, one in walks.items()
    ]
