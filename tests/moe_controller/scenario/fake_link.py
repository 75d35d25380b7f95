"""A robot for the player without ROS: time passes at once, the end effector and the base go where they are told."""

from __future__ import annotations

import numpy as np
from go2_piper_description.joints import joint_array
from moe_controller.scenario.player import Interrupted, LinkError
from moe_controller.scenario.record import GateEvent, Recorder
from moe_controller.scenario.scenarios import Goal

PERIOD = 0.005
STAND = joint_array("stand")


class FakeLink:
    """Behaves like bridge and controller as far as the player can see."""

    def __init__(self) -> None:
        self.recorder = Recorder(groups=("legs", "arm"), experts=("base", "arm"))
        self.now = 0.0
        self.mode, self.reason = "PASSIVE", "lying"
        self.height = 0.28
        self.sent: list[tuple[float, str, Goal]] = []
        self.requests: list[str] = []
        self.refusals: dict[str, str] = {}
        self.stand_mode = "HOLD"
        self.damp_at = np.inf
        self.damp_reason = "command is stale"
        self.interrupt_at = np.inf
        self.lose_at = np.inf
        self._velocity = (0.0, 0.0, 0.0)

    def advance(self, until: float) -> None:
        while self.now < until - 1e-9:
            self.now = round(self.now + PERIOD, 9)
            self._state()
            if self.now >= self.interrupt_at:
                raise Interrupted
            if self.now >= self.lose_at:
                raise LinkError("no new /joint_states")
            if self.mode == "ACTIVE" and self.now >= self.damp_at:
                self._enter("HOLD", self.damp_reason)
            if self.mode == "HOLD" and self.now >= self.damp_at + 0.4:
                self._enter("DAMPING", self.damp_reason)

    def request(self, service: str) -> tuple[bool, str]:
        self.requests.append(service)
        if service in self.refusals:
            return False, self.refusals[service]
        self._enter({"stand": self.stand_mode, "activate": "ACTIVE", "sit": "PASSIVE"}[service], service)
        return True, ""

    def send_target(self, goal: Goal) -> None:
        self.sent.append((self.now, "target", goal))

    def send_path(self, goal: Goal) -> None:
        self.sent.append((self.now, "path", goal))

    def send_velocity(self, goal: Goal) -> None:
        self.sent.append((self.now, "velocity", goal))
        assert goal.velocity is not None
        self._velocity = goal.velocity

    def _enter(self, mode: str, reason: str) -> None:
        self.mode, self.reason = mode, reason
        self.recorder.gate_events.append(GateEvent(self.now, mode, reason))

    def _state(self) -> None:
        vx, vy, wz = self._velocity
        base = np.array([0.0, 0.0, self.height, 0.0, 0.0, 0.0, 1.0, vx, vy, 0.0, 0.0, 0.0, wz])
        self.recorder.states.append((self.now, STAND, np.zeros(18), 0.0))
        self.recorder.bases.append((self.now, base))
        self.recorder.commands.append(self.now)
        self.recorder.weights.append(np.array([[0.8, 0.2], [0.1, 0.9]]))
