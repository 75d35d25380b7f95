"""What a report shows, out of a recording."""

from __future__ import annotations

import numpy as np
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES
from go2_piper_description.kinematics import ArmKinematics
from robot_bridge import convert
from scipy.spatial.transform import Rotation

from ..goals import ODOM, EeGoal, GoalError
from ..messages import quaternion_of, trajectory_of, velocity_of
from ..recording.bag_reader import Bag, BagReadError
from ..trajectory import PoseTrajectory
from .run_data import Array, RunData, Series, no_series

COUNTED = ("joint_states", "joint_commands", "moe/expert_weights", "ee_target", "cmd_vel")
_NS = 1e-9


class _Clock:
    """Turns wall times of arrival into s on the axis of the report: the time of the states, from the first."""

    def __init__(self, arrived: Array, stamps: Array) -> None:
        self._arrived, self._since = arrived, stamps - stamps[0]
        self.end = float(self._since[-1])

    def at(self, received_ns: Array) -> Array:
        return np.interp(received_ns, self._arrived, self._since)


def from_bag(bag: Bag) -> RunData:
    """Return the run that a recording holds. Raises BagReadError."""
    bag.require(["joint_states"], "a report")
    rows = [(item.received_ns, convert.to_nanoseconds(m.header.stamp), m) for item, m in bag.decoded("joint_states")]
    names = list(rows[0][2].name)
    missing = [name for name in JOINT_NAMES if name not in names]
    if missing:
        raise BagReadError(f"{bag.path} is of another robot: it has no joint {missing[0]}")
    order = [names.index(name) for name in JOINT_NAMES]
    rows = [row for row in rows if list(row[2].name) == names]
    stamps = _NS * np.array([stamp for _, stamp, _ in rows], dtype=float)
    arrived = np.array([received for received, _, _ in rows], dtype=float)
    clock = _Clock(arrived, stamps)
    times = stamps - stamps[0]
    position = np.array([message.position for _, _, message in rows])[:, order]
    base = {convert.to_nanoseconds(m.header.stamp): convert.base_state(m) for _, m in bag.decoded("odom")}
    bases = [base.get(stamp) for _, stamp, _ in rows]
    motion = np.array([[np.nan] * 3 if b is None else [*b.linear_velocity[:2], b.angular_velocity[2]] for b in bases])
    weights, groups, experts = _weights(bag, clock)
    return RunData(
        source=str(bag.path),
        duration=clock.end,
        problem=bag.problem,
        ee_error=(times, _ee_error(bag, arrived, stamps, position, bases)),
        weights=weights,
        groups=groups,
        experts=experts,
        velocity=(times, motion),
        velocity_command=_commands(bag, clock),
        torque=(times, np.array([message.effort for _, _, message in rows])[:, order]),
        rates={topic: _rate(bag, topic, clock) for topic in COUNTED if len(bag[topic]) > 1},
        latency_ms=_latency(bag),
        gate_events=tuple(
            (float(clock.at(np.array(float(i.received_ns)))), m.data) for i, m in bag.decoded("safety/state")
        ),
        diagnostics=_diagnostics(bag, clock),
    )


def _ee_error(bag: Bag, arrived: Array, stamps: Array, position: Array, bases: list) -> Array:
    """Return the distance of ee_link from the goal in force, m; NaN without one."""
    goals: list[tuple[float, EeGoal]] = []
    for item, target in bag.decoded("ee_target"):
        point = target.pose.position
        try:
            poses = PoseTrajectory([0.0], [[point.x, point.y, point.z]], [quaternion_of(target.pose.orientation)])
        except ValueError:
            continue
        goals.append((item.received_ns, EeGoal(poses, target.header.frame_id, 0.0)))
    for item, path in bag.decoded("ee_trajectory"):
        try:
            poses, start = trajectory_of(path, None)
        except GoalError:
            continue
        begin = float(np.interp(item.received_ns, arrived, stamps)) if start is None else start
        goals.append((item.received_ns, EeGoal(poses, path.header.frame_id, begin)))
    goals.sort(key=lambda pair: pair[0])
    actual = ArmKinematics().ee_position(position[:, ARM_SLICE])
    error = np.full(len(stamps), np.nan)
    for index, (begin, goal) in enumerate(goals):
        end = goals[index + 1][0] if index + 1 < len(goals) else np.inf
        for row in np.flatnonzero((arrived >= begin) & (arrived < end)):
            place = actual[row]
            if goal.frame == ODOM:
                if bases[row] is None:
                    continue
                place = Rotation.from_quat(bases[row].orientation).apply(place) + bases[row].position
            error[row] = np.linalg.norm(place - goal.poses(stamps[row : row + 1])[0][0])
    return error


def _weights(bag: Bag, clock: _Clock) -> tuple[Series, tuple[str, ...], tuple[str, ...]]:
    rows = list(bag.decoded("moe/expert_weights"))
    rows = [(item, message) for item, message in rows if len(message.layout.dim) == 2]
    if not rows:
        return no_series(0, 0), (), ()
    first = rows[0][1]
    groups, experts = (tuple(dimension.label.partition(":")[2].split(",")) for dimension in first.layout.dim)
    rows = [(item, message) for item, message in rows if len(message.data) == len(groups) * len(experts)]
    values = np.array([message.data for _, message in rows]).reshape(-1, len(groups), len(experts))
    return (clock.at(np.array([float(item.received_ns) for item, _ in rows])), values), groups, experts


def _commands(bag: Bag, clock: _Clock) -> Series:
    rows = list(bag.decoded("cmd_vel"))
    if not rows:
        return no_series(3)
    times = clock.at(np.array([float(item.received_ns) for item, _ in rows]))
    return times, np.array([velocity_of(message) for _, message in rows])


def _rate(bag: Bag, topic: str, clock: _Clock) -> Series:
    """Return the messages in each second of wall time."""
    arrived = np.array([item.received_ns for item in bag[topic]], dtype=float)
    edges = np.arange(arrived[0], arrived[-1], 1e9)
    if len(edges) < 2:
        return no_series()
    counts, _ = np.histogram(arrived, edges)
    return clock.at(edges[:-1]), counts.astype(float)


def _latency(bag: Bag) -> Array:
    sent = {convert.to_nanoseconds(m.header.stamp): item.published_ns for item, m in bag.decoded("joint_states")}
    pairs = ((convert.to_nanoseconds(m.header.stamp), item.published_ns) for item, m in bag.decoded("joint_commands"))
    return np.array([1e-6 * (published - sent[stamp]) for stamp, published in pairs if stamp in sent])


def _diagnostics(bag: Bag, clock: _Clock) -> dict[str, Series]:
    found: dict[str, list[tuple[float, float]]] = {}
    for item, message in bag.decoded("diagnostics"):
        for status in message.status:
            for entry in status.values:
                try:
                    value = float(entry.value)
                except ValueError:
                    continue
                found.setdefault(f"{status.name} / {entry.key}", []).append((float(item.received_ns), value))
    return {
        name: (clock.at(np.array([at for at, _ in rows])), np.array([value for _, value in rows]))
        for name, rows in sorted(found.items())
    }
