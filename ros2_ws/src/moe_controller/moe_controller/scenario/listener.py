"""What the operator hears: fills the record from topics and knows the newest stamps."""

from __future__ import annotations

from collections import Counter

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from go2_piper_description.joints import GRIPPER, JOINT_NAMES
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from robot_bridge import convert
from robot_bridge.inbox import Inbox
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String

from .record import GateEvent, Recorder
from .status import Rate

NANOSECONDS = 1_000_000_000


class Listener:
    """Callbacks for the topics of the graph."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.mode, self.reason = "", ""
        self.state_ns = self.odom_ns = self.command_ns = -1
        """Newest stamps; -1 before the first."""
        self.first_command_ns = -1
        self.weights: NDArray[np.float64] | None = None
        self.diagnostics: dict[str, dict[str, str]] = {}
        """Newest values by key, by name of the status."""
        self.diagnosed: Counter[str] = Counter()
        """How often each status came."""
        self.rates = {"states": Rate(), "commands": Rate(), "time": Rate()}
        self._order: tuple[tuple[str, ...], NDArray[np.intp], int | None] | None = None
        self._missing_weights = 0

    def subscribe(self, inbox: Inbox, depth: int, latched: object) -> None:
        """Subscribe to what is recorded.

        Args:
            inbox: of the node.
            depth: of the queues.
            latched: quality of service of `/safety/state`.
        """
        inbox.subscribe(JointState, "joint_states", self._on_states, depth)
        inbox.subscribe(Odometry, "odom", self._on_odom, depth)
        inbox.subscribe(JointState, "joint_commands", self._on_command, depth)
        inbox.subscribe(Float64MultiArray, "moe/expert_weights", self._on_weights, depth)
        inbox.subscribe(String, "safety/state", self._on_safety, latched)  # type: ignore[arg-type]
        inbox.subscribe(DiagnosticArray, "diagnostics", self._on_diagnostics, depth)

    @property
    def now(self) -> float:
        """Stamp of the newest state, s; 0 before the first."""
        return max(self.state_ns, 0) / NANOSECONDS

    def begin(self) -> None:
        """Let the record begin now, and do not wait for weights that were published before we were listening."""
        self.recorder.begin(self.now)
        self.forgive_weights()

    def weights_complete(self) -> bool:
        """Tell whether the weights of all commands are here."""
        return len(self.recorder.weights) + self._missing_weights >= len(self.recorder.commands)

    def forgive_weights(self) -> None:
        """Do not wait for the weights that are missing now."""
        self._missing_weights = len(self.recorder.commands) - len(self.recorder.weights)

    def _on_states(self, message: JointState) -> None:
        stamp = convert.to_nanoseconds(message.header.stamp)
        if stamp <= self.state_ns:
            return
        self.rates["states"].add()
        self.rates["time"].add((stamp - self.state_ns) / NANOSECONDS if self.state_ns >= 0 else 0.0)
        names = tuple(message.name)
        if self._order is None or self._order[0] != names:
            index = np.array([names.index(name) for name in JOINT_NAMES])
            self._order = (names, index, names.index(GRIPPER.name) if GRIPPER.name in names else None)
        _, index, gripper = self._order
        position, velocity = np.asarray(message.position), np.asarray(message.velocity)
        travel = float(position[gripper]) if gripper is not None else 0.0
        self.recorder.states.append((stamp / NANOSECONDS, position[index], velocity[index], travel))
        self.state_ns = stamp

    def _on_odom(self, message: Odometry) -> None:
        self.odom_ns = convert.to_nanoseconds(message.header.stamp)
        base = convert.base_state(message)
        row = np.concatenate([base.position, base.orientation, base.linear_velocity, base.angular_velocity])
        self.recorder.bases.append((self.odom_ns / NANOSECONDS, row))

    def _on_command(self, message: JointState) -> None:
        self.rates["commands"].add()
        self.command_ns = convert.to_nanoseconds(message.header.stamp)
        self.recorder.commands.append(self.command_ns / NANOSECONDS)
        if self.first_command_ns < 0:
            self.first_command_ns = self.command_ns

    def _on_weights(self, message: Float64MultiArray) -> None:
        groups, experts = (dim.label.partition(":")[2].split(",") for dim in message.layout.dim)
        self.recorder.groups, self.recorder.experts = tuple(groups), tuple(experts)
        self.weights = np.asarray(message.data).reshape(len(groups), len(experts))
        self.recorder.weights.append(self.weights)

    def _on_safety(self, message: String) -> None:
        mode, _, reason = (part.strip() for part in message.data.partition(":"))
        if (mode, reason) == (self.mode, self.reason):
            return
        self.mode, self.reason = mode, reason
        self.recorder.gate_events.append(GateEvent(self.now, self.mode, self.reason))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name] = {item.key: item.value for item in status.values}
            self.diagnosed[status.name] += 1
