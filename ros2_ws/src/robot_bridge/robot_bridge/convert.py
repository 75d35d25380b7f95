"""Conversions between the types of `robot_bridge.types` and ROS messages. Joints are matched by name.

Values are passed on as they are, finite or not: the safety gate and the controllers decide what to do about them.
Stamps of plants are s since some start; `offset_ns` (integer nanoseconds) shifts them to the time of the messages.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Quaternion, Vector3
from go2_piper_description.joints import GRIPPER, JOINT_NAMES
from go2_piper_description.links import BASE_LINK, IMU_LINK
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu, JointState

from .types import Array, BaseState, JointCommand, RobotState

ODOM_FRAME = "odom"
_NS = 1_000_000_000
_STATE_NAMES = [*JOINT_NAMES, GRIPPER.name]


def to_time(seconds: float, offset_ns: int = 0) -> Time:
    """Return a message time, rounded to the nearest nanosecond."""
    sec, nanosec = divmod(round(seconds * _NS) + offset_ns, _NS)
    return Time(sec=sec, nanosec=nanosec)


def to_nanoseconds(stamp: Time) -> int:
    """Return a message time as integer nanoseconds."""
    return int(stamp.sec) * _NS + int(stamp.nanosec)


def to_seconds(stamp: Time, offset_ns: int = 0) -> float:
    """Return a message time as s."""
    return (to_nanoseconds(stamp) - offset_ns) / _NS


def joint_state_message(state: RobotState, stamp: Time) -> JointState:
    """Return the 18 joints and the gripper."""
    message = JointState(name=_STATE_NAMES)
    message.header.stamp = stamp
    message.position = array("d", [*state.position.tolist(), state.gripper_position])
    message.velocity = array("d", [*state.velocity.tolist(), state.gripper_velocity])
    message.effort = array("d", [*state.effort.tolist(), state.gripper_effort])
    return message


def imu_message(state: RobotState, stamp: Time) -> Imu:
    """Return orientation, angular velocity and specific force in the axes of `base_link`; covariances unknown."""
    message = Imu()
    message.header.stamp = stamp
    message.header.frame_id = IMU_LINK
    message.orientation = _quaternion(state.orientation)
    message.angular_velocity = _vector(state.angular_velocity)
    message.linear_acceleration = _vector(state.linear_acceleration)
    return message


def odometry_message(base: BaseState, stamp: Time) -> Odometry:
    """Return the pose of `base_link` in `odom`, twist in `base_link`; covariances unknown."""
    message = Odometry()
    message.header.stamp = stamp
    message.header.frame_id = ODOM_FRAME
    message.child_frame_id = BASE_LINK
    x, y, z = base.position.tolist()
    message.pose.pose.position = Point(x=x, y=y, z=z)
    message.pose.pose.orientation = _quaternion(base.orientation)
    message.twist.twist.linear = _vector(base.linear_velocity)
    message.twist.twist.angular = _vector(base.angular_velocity)
    return message


def robot_state(joints: JointState, imu: Imu, odometry: Odometry | None = None) -> RobotState:
    """Return the state that three messages of one stamp describe.

    Args:
        joints: the 18 joints in any order, and the gripper or not.
        imu: its values are taken in the axes of `base_link`.
        odometry: None where nobody knows where the base is.

    Raises:
        ValueError: in one line, for missing, unknown or repeated joints and wrong lengths.
    """
    index = {name: position for position, name in enumerate(joints.name)}
    known = {*JOINT_NAMES, GRIPPER.name}
    _refuse("missing", [name for name in JOINT_NAMES if name not in index])
    _refuse("unknown", [name for name in index if name not in known])
    _refuse("repeated", sorted({name for name in joints.name if list(joints.name).count(name) > 1}))
    order = [index[name] for name in JOINT_NAMES]
    columns: list[Array] = []
    for label in ("position", "velocity", "effort"):
        values = np.asarray(getattr(joints, label), dtype=np.float64)
        if values.shape != (len(joints.name),):
            raise ValueError(f"joint states: {len(joints.name)} names but {values.size} values of {label}")
        columns.append(values)
    position, velocity, effort = (values[order] for values in columns)
    at = index.get(GRIPPER.name)
    return RobotState(
        stamp=to_seconds(joints.header.stamp),
        position=position,
        velocity=velocity,
        effort=effort,
        orientation=_from_quaternion(imu.orientation),
        angular_velocity=_from_vector(imu.angular_velocity),
        linear_acceleration=_from_vector(imu.linear_acceleration),
        gripper_position=0.0 if at is None else float(columns[0][at]),
        gripper_velocity=0.0 if at is None else float(columns[1][at]),
        gripper_effort=0.0 if at is None else float(columns[2][at]),
        base=None if odometry is None else base_state(odometry),
    )


def base_state(odometry: Odometry) -> BaseState:
    """Return pose and velocity of the base."""
    point = odometry.pose.pose.position
    return BaseState(
        position=np.array([point.x, point.y, point.z]),
        orientation=_from_quaternion(odometry.pose.pose.orientation),
        linear_velocity=_from_vector(odometry.twist.twist.linear),
        angular_velocity=_from_vector(odometry.twist.twist.angular),
    )


def joint_command_message(
    position: Array, state_stamp: Time, velocity: Array | None = None, effort: Array | None = None,
    names: Sequence[str] = JOINT_NAMES,
) -> JointState:  # fmt: skip
    """Return a command for `/joint_commands`.

    Args:
        position: rad, shape (len(names),).
        state_stamp: stamp of the state that the command was computed from.
        velocity: rad/s, same shape; None for zeros.
        effort: feed-forward torque, N m, same shape; None for zeros.
        names: joints in the order of the arrays.
    """
    message = JointState(name=list(names))
    message.header.stamp = state_stamp
    for label, values in (("position", position), ("velocity", velocity), ("effort", effort)):
        if values is None:
            continue
        if np.shape(values) != (len(names),):
            raise ValueError(f"joint command: {label} has shape {np.shape(values)}, not ({len(names)},)")
        setattr(message, label, array("d", np.asarray(values, dtype=np.float64).tolist()))
    return message


def joint_command(message: JointState, received: float, offset_ns: int = 0) -> JointCommand:
    """Return a command as it came; empty velocity and effort are zeros. The gate checks names, lengths and values.

    Args:
        message: joints in any order.
        received: when it arrived, s on the clock of the gate.
        offset_ns: see the module.
    """
    zeros = np.zeros(len(message.name))
    return JointCommand(
        names=tuple(message.name),
        position=np.asarray(message.position, dtype=np.float64),
        velocity=np.asarray(message.velocity, dtype=np.float64) if len(message.velocity) else zeros,
        effort=np.asarray(message.effort, dtype=np.float64) if len(message.effort) else zeros,
        state_stamp=to_seconds(message.header.stamp, offset_ns),
        received=received,
    )


def gripper_travel(message: JointState) -> float:
    """Return the travel of each finger that a message on `/gripper_command` asks for, m. Raises ValueError."""
    if list(message.name) != [GRIPPER.name] or len(message.position) != 1:
        raise ValueError(f"gripper command: one joint named {GRIPPER.name} with one position is needed")
    return float(message.position[0])


def _refuse(problem: str, names: list[str]) -> None:
    if names:
        raise ValueError(f"joint states: {problem} joints {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}")


def _vector(values: Array) -> Vector3:
    x, y, z = values.tolist()
    return Vector3(x=x, y=y, z=z)


def _quaternion(values: Array) -> Quaternion:
    x, y, z, w = values.tolist()
    return Quaternion(x=x, y=y, z=z, w=w)


def _from_vector(vector: Vector3) -> Array:
    return np.array([vector.x, vector.y, vector.z])


def _from_quaternion(quaternion: Quaternion) -> Array:
    return np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w])
