"""A robot in MuJoCo behind the safety gate, driven by a controller's core, without ROS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES
from go2_piper_description.kinematics import ArmKinematics
from numpy.typing import NDArray
from robot_bridge.gate import GateInputs, GateState, step
from robot_bridge.gate_params import GateParams
from robot_bridge.modes import Mode, Request
from robot_bridge.types import JointCommand, RobotState
from scipy.spatial.transform import Rotation
from sim_bridge.mujoco_plant import MujocoOptions, MujocoPlant

Array = NDArray[np.float64]
PERIOD = 4
"""Steps of the plant, 5 ms each, in a control period."""


@dataclass
class Rig:
    """Runs a core in closed loop. `until` lets time pass; `activate` gets the robot on its feet."""

    core: Any
    plant: MujocoPlant = field(default_factory=lambda: MujocoPlant(MujocoOptions()))
    outputs: list[Any] = field(default_factory=list)
    positions: list[Array] = field(default_factory=list)
    states: list[RobotState] = field(default_factory=list)
    limited: int = 0

    def __post_init__(self) -> None:
        self._gate, self._params = GateState(), GateParams()
        self._command: JointCommand | None = None
        self._arm = ArmKinematics()
        self._count = 0
        self.plant.start()

    @property
    def now(self) -> float:
        return self.plant.time

    @property
    def state(self) -> RobotState:
        state = self.plant.read()
        assert state is not None
        return state

    @property
    def mode(self) -> Mode:
        return self._gate.mode

    def step(self, requests: tuple[Request, ...] = ()) -> None:
        """Let 5 ms pass."""
        if self._count % PERIOD == 0:
            output = self.core.step(self.state, self.now, self.mode is Mode.ACTIVE)
            self.outputs.append(output)
            self.positions.append(output.position)
            self.states.append(self.state)
            effort = output.effort
            self._command = JointCommand(JOINT_NAMES, output.position, np.zeros(18), effort, self.now, self.now)
        self._count += 1
        self._gate, result = step(self._gate, GateInputs(self.now, self.state, self._command, 1, None, requests),
                                  self._params)  # fmt: skip
        self.limited += len(result.limited)
        if result.targets is not None:
            self.plant.write(result.targets)
        self.plant.step()

    def until(self, time: float, done: Callable[[], bool] = lambda: False) -> None:
        while self.now < time and not done():
            self.step()

    def activate(self) -> None:
        self.step()
        self.step((Request.STAND,))
        self.until(self.now + 10.0, lambda: self.mode is Mode.HOLD)
        self.step((Request.ACTIVATE,))
        assert self.mode is Mode.ACTIVE

    def ee(self) -> Array:
        """Return where `ee_link` is in odom, m."""
        state = self.state
        assert state.base is not None
        place = self._arm.ee_position(state.position[ARM_SLICE])
        return Rotation.from_quat(state.base.orientation).apply(place) + state.base.position
