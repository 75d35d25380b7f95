"""The control steps of a recording: what each was computed from, and what came out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from go2_piper_description.joints import JOINT_NAMES
from numpy.typing import NDArray
from robot_bridge import convert

from ..messages import step_trace_of
from ..recording.bag_reader import Bag, BagReadError
from ..step_trace import StepTrace

Array = NDArray[np.float64]

NEEDED = ("joint_states", "imu/data", "joint_commands", "control_inputs")
USED = (*NEEDED, "odom", "ee_target", "ee_trajectory", "cmd_vel", "moe/expert_weights", "diagnostics")


@dataclass(frozen=True)
class Step:
    """One control step. States are ROS messages; None where the recording lacks them."""

    trace: StepTrace
    joints: Any
    imu: Any
    odometry: Any
    command: Array | None
    """Joint position targets that were sent, rad, shape (18,); None where no command was recorded."""
    weights: Array | None
    """Expert weights, shape (groups, experts); None where none were recorded."""

    @property
    def complete(self) -> bool:
        """Whether its state is there."""
        return None not in (self.joints, self.imu) and (self.odometry is not None or not self.trace.odometry)


def steps_of(bag: Bag) -> list[Step]:
    """Return the control steps in order. Raises BagReadError."""
    bag.require(NEEDED, "a replay")
    _check_robot(bag)
    try:
        traces = [(item.published_ns, step_trace_of(message)) for item, message in bag.decoded("control_inputs")]
    except ValueError as error:
        raise BagReadError(f"{bag.path}: {error}") from None
    stamps = {trace.stamp_ns for _, trace in traces}
    joints, imu, odometry, commands = (
        _by_stamp(bag, topic, stamps) for topic in ("joint_states", "imu/data", "odom", "joint_commands")
    )
    weights = _weights(bag, [published for published, _ in traces])
    return [
        Step(
            trace,
            joints.get(trace.stamp_ns),
            imu.get(trace.stamp_ns),
            odometry.get(trace.stamp_ns) if trace.odometry else None,
            _positions(commands.get(trace.stamp_ns)),
            row,
        )
        for (_, trace), row in zip(traces, weights, strict=True)
    ]


def _check_robot(bag: Bag) -> None:
    _, message = next(bag.decoded("joint_states"))
    missing = [name for name in JOINT_NAMES if name not in message.name]
    if missing:
        has = ", ".join(list(message.name)[:3])
        raise BagReadError(f"{bag.path} is of another robot: its joints ({has}, ...) lack {', '.join(missing[:3])}")


def _by_stamp(bag: Bag, topic: str, stamps: set[int]) -> dict[int, Any]:
    found = {}
    for _, message in bag.decoded(topic):
        stamp = convert.to_nanoseconds(message.header.stamp)
        if stamp in stamps:
            found[stamp] = message
    return found


def _positions(command: Any) -> Array | None:
    if command is None:
        return None
    by_name = dict(zip(command.name, command.position, strict=False))
    return np.array([by_name.get(name, np.nan) for name in JOINT_NAMES])


def _weights(bag: Bag, published: list[int]) -> list[Array | None]:
    """Return the weights of each step: the message that its controller sent after the step and before the next."""
    rows: list[Array | None] = [None] * len(published)
    bounds = np.array([*published, np.iinfo(np.int64).max])
    for item, message in bag.decoded("moe/expert_weights"):
        at = int(np.searchsorted(bounds, item.published_ns, side="right")) - 1
        if at >= 0 and len(message.layout.dim) == 2:
            rows[at] = np.asarray(message.data).reshape([dimension.size for dimension in message.layout.dim])
    return rows
