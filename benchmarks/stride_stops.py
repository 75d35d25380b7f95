"""How the robot comes down when it is stopped out of a stride: the shipped policy and the real gate, without ROS.

The robot walks in simulation, and at many phases of its gait a copy of it is stopped: by silence of its controller
(HOLD, then DAMPING) and by `damp`. What counts is the largest tilt on the way down; beyond `ON_ITS_SIDE` it fell over.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
from go2_piper_description.joints import JOINT_NAMES
from moe_controller.controller import MoeController
from moe_controller.policy import OnnxPolicy
from moe_controller.shipped import shipped_model
from robot_bridge.checks import tilt_of
from robot_bridge.gate import GateInputs, GateState, step
from robot_bridge.gate_params import GateParams
from robot_bridge.modes import Mode, Request
from robot_bridge.types import JointCommand, RobotState
from sim_bridge.mujoco_plant import MujocoPlant

STEP = 0.005
"""s per turn of the gate."""
WALKS = ((0.5, 0.0, 0.0), (0.5, 0.0, 0.7), (0.3, 0.3, 0.5), (-0.5, 0.0, 0.0), (0.0, 0.4, 0.0))
"""vx, vy in m/s, wz in rad/s: up to the speed of an approach."""
FASTEST = (0.8, 0.0, 0.0)
ON_ITS_SIDE = 1.0
"""rad"""
_START, _STOP = 800, 1240
"""Turns at which the walk and the first stop begin: 4 and 6.2 s."""
_AFTER = 1000
"""Turns that are watched after a stop."""
_PHASES = 26
"""Stops of each kind in each walk, 25 ms apart: more than one stride of about half a second."""
_BETWEEN = 5


@dataclass
class Aftermath:
    """What happened from the stop on."""

    mode: Mode
    """At the end."""
    reply: str
    """To the request; empty without one."""
    modes: list[Mode]
    times: list[float]
    """When each of `modes` was entered, s after the stop."""
    largest_tilt: float
    """rad"""
    height: float
    """Of the trunk at the end, m."""


@dataclass
class Walk:
    """Robot, gate and controller in lockstep. A branch of it has an own copy of the plant, but not of the controller,
    which remembers what it did: in a branch it has to be silent.

    Args:
        velocity: vx, vy, wz asked for, m/s and rad/s.
    """

    plant: MujocoPlant
    controller: MoeController
    velocity: tuple[float, float, float]
    gate: GateState = field(default_factory=GateState)
    command: JointCommand | None = None
    turn: int = 0
    reply: str = ""

    @classmethod
    def begin(cls, velocity: tuple[float, float, float]) -> Walk:
        """Stand up and walk for 2 s under the shipped policy. Raises RuntimeError where the gate stops that."""
        walk = cls(MujocoPlant(), MoeController(OnnxPolicy(shipped_model())), velocity)
        walk.plant.start()
        requests = {40: Request.STAND, 700: Request.ACTIVATE}
        while walk.turn < _STOP:
            walk.tick(requests.get(walk.turn))
        if walk.gate.mode is not Mode.ACTIVE:
            raise RuntimeError(f"the robot does not walk: {walk.gate.mode}, {walk.gate.reason}")
        return walk

    def tick(self, request: Request | None = None, *, silent: bool = False) -> RobotState:
        """Let 5 ms pass; return the state at their beginning."""
        state, now = self.plant.read(), self.plant.time
        assert state is not None
        if self.turn % 4 == 0 and not silent:
            if self.turn >= _START:
                self.controller.set_velocity(np.array(self.velocity))
            position = self.controller.step(state, now, self.gate.mode is Mode.ACTIVE).position
            self.command = JointCommand(JOINT_NAMES, position, np.zeros(18), np.zeros(18), state.stamp, now)
        asked = () if request is None else (request,)
        self.gate, output = step(self.gate, GateInputs(now, state, self.command, 1, None, asked), GateParams())
        if output.replies:
            self.reply = output.replies[0].message
        if output.targets is not None:
            self.plant.write(output.targets)
        self.plant.step()
        self.turn += 1
        return state

    def branch(self) -> Walk:
        """Return a copy for a stop in silence."""
        return replace(self, plant=deepcopy(self.plant))

    def stop(self, request: Request | None, *, silent: bool = True) -> Aftermath:
        """Stop by a request, by silence of the controller, or both, and wait for 5 s."""
        self.reply = ""
        after = Aftermath(self.gate.mode, "", [], [], 0.0, 0.0)
        for turn in range(_AFTER):
            before = self.gate.mode
            state = self.tick(request if turn == 0 else None, silent=silent)
            after.largest_tilt = max(after.largest_tilt, tilt_of(state.orientation))
            if self.gate.mode is not before:
                after.modes.append(self.gate.mode)
                after.times.append(turn * STEP)
        assert state.base is not None
        after.mode, after.reply, after.height = self.gate.mode, self.reply, float(state.base.position[2])
        return after


def run() -> Iterator[str]:
    """Stop in all phases of all walks; one line per walk."""
    for velocity in (*WALKS, FASTEST):
        walk = Walk.begin(velocity)
        tilts: dict[str, list[float]] = {"silence": [], "damp": []}
        for _ in range(_PHASES):
            tilts["silence"].append(walk.branch().stop(None).largest_tilt)
            tilts["damp"].append(walk.branch().stop(Request.DAMP).largest_tilt)
            for _ in range(_BETWEEN):
                walk.tick()
        words = [
            f"{name}: tilt median {np.median(found):.2f}, largest {max(found):.2f} rad, "
            f"{sum(tilt > ON_ITS_SIDE for tilt in found)} of {len(found)} over {ON_ITS_SIDE:g}"
            for name, found in tilts.items()
        ]
        yield f"stopped out of {velocity}: {'; '.join(words)}"
