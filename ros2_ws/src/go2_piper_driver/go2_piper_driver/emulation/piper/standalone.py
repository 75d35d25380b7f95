"""The emulated arm alone, on a table, without MuJoCo: for checks of the arm's driver and of other CAN clients."""

from __future__ import annotations

import argparse
import contextlib
import threading
import time

import numpy as np
from go2_piper_description.joints import ARM_JOINTS, ARM_SLICE, GRIPPER, joint_array
from numpy.typing import NDArray

from ...arm_types import ArmTargets
from .emulated_piper import ArmMotion, EmulatedPiper, EmulatedPiperConfig

Array = NDArray[np.float64]

PERIOD = 0.002
_INERTIA = np.array([0.08, 0.08, 0.04, 0.02, 0.02, 0.02])
"""kg m2, roughly what the joints carry."""
_WEIGHT = np.array([0.0, 5.0, 3.0, 0.0, 0.3, 0.0])
"""N m by which an unpowered arm falls towards its rest pose."""
_FRICTION = 0.5
_LOWER = np.array([joint.lower for joint in ARM_JOINTS])
_UPPER = np.array([joint.upper for joint in ARM_JOINTS])
_EFFORT = np.array([joint.effort for joint in ARM_JOINTS])
_GRIPPER_SPEED = 0.05
"""m/s."""


class TableDynamics:
    """Six joints that do not feel each other, with a weight that pulls them to rest."""

    def __init__(self) -> None:
        self.position: Array = joint_array("rest")[ARM_SLICE]
        self.velocity: Array = np.zeros(6)
        self.effort: Array = np.zeros(6)
        self.gripper = 0.0

    def step(self, targets: ArmTargets, dt: float) -> None:
        """Let `dt` pass; damping is implicit, so that stiff gains stay stable."""
        spring = targets.kp * (targets.position - self.position) + targets.kd * targets.velocity + targets.effort
        weight = -_WEIGHT * np.tanh(10.0 * self.position)
        drag = 1.0 + dt / _INERTIA * (targets.kd + _FRICTION + dt * targets.kp)
        self.velocity = (self.velocity + dt / _INERTIA * (spring + weight)) / drag
        self.effort = np.clip(spring - targets.kd * self.velocity, -_EFFORT, _EFFORT)
        moved = self.position + dt * self.velocity
        self.position = np.clip(moved, _LOWER, _UPPER)
        self.velocity[moved != self.position] = 0.0
        if targets.gripper_position is not None:
            step = _GRIPPER_SPEED * dt
            self.gripper += min(max(targets.gripper_position - self.gripper, -step), step)
            self.gripper = min(max(self.gripper, GRIPPER.lower), GRIPPER.upper)

    def motion(self) -> ArmMotion:
        """Return what the arm measures."""
        return ArmMotion(self.position, self.velocity, self.effort, self.gripper)


class StandalonePiper:
    """Runs the emulated arm in a thread of its own."""

    def __init__(self, config: EmulatedPiperConfig | None = None) -> None:
        self.arm = EmulatedPiper(config)
        self.dynamics = TableDynamics()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emulated_piper", daemon=True)

    def __enter__(self) -> StandalonePiper:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join()
        self.arm.close()

    def _run(self) -> None:
        deadline = time.monotonic()
        while not self._ending.is_set():
            targets = self.arm.step(time.monotonic(), self.dynamics.motion())
            self.dynamics.step(targets, PERIOD)
            deadline = max(deadline + PERIOD, time.monotonic() - 10 * PERIOD)
            time.sleep(max(0.0, deadline - time.monotonic()))


def main() -> None:
    """Run the arm until it is interrupted."""
    defaults = EmulatedPiperConfig()
    parser = argparse.ArgumentParser(description="An emulated Piper on a loopcan channel.")
    parser.add_argument("--channel", default=defaults.channel)
    parser.add_argument("--firmware", default=defaults.firmware)
    arguments = parser.parse_args()
    with StandalonePiper(EmulatedPiperConfig(channel=arguments.channel, firmware=arguments.firmware)):
        print(f"emulated Piper {arguments.firmware} on loopcan channel {arguments.channel}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
