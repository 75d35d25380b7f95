"""What the safety gate checks: the robot's state, a controller's command, and what is sent to the robot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import ARM_SLICE, GRIPPER, JOINT_NAMES, NUM_JOINTS, joint_array

from .gate_params import GateParams
from .types import Array, JointCommand, JointTargets, RobotState

LOWER, UPPER = joint_array("lower"), joint_array("upper")
VELOCITY, EFFORT = joint_array("velocity"), joint_array("effort")
KP, KD = joint_array("kp"), joint_array("kd")
_INDEX = {name: index for index, name in enumerate(JOINT_NAMES)}
_CLOCK_SLACK = 1e-6
"""s by which a stamp may lie in the future: rounding of message stamps."""


@dataclass(frozen=True)
class Setpoint:
    """A command that passed the checks, in canonical order."""

    position: Array
    velocity: Array
    effort: Array
    received: float


def tilt_of(orientation: Array) -> float:
    """Return the angle between base z and world z, rad, of a quaternion x, y, z, w."""
    x, y, _, _ = orientation / np.linalg.norm(orientation)
    return float(np.arccos(np.clip(1.0 - 2.0 * (x * x + y * y), -1.0, 1.0)))


def untrusted(state: RobotState | None, now: float, params: GateParams) -> str | None:
    """Return why the state cannot be trusted (missing, late, not finite), or None."""
    if state is None:
        return "no robot state"
    age = now - state.stamp
    if not -params.state_timeout <= age <= params.state_timeout:  # also catches a stamp that is not a number
        return f"robot state is {age:.3f} s old (limit {params.state_timeout} s)"
    for label, values in (
        ("joint position", state.position),
        ("joint velocity", state.velocity),
        ("orientation", state.orientation),
        ("angular velocity", state.angular_velocity),
        ("motor temperature", state.motor_temperature),
        ("battery charge", state.battery_charge),
    ):
        if values is not None and not np.all(np.isfinite(values)):
            return f"{label} is not finite"
    if not 0.9 < float(np.linalg.norm(state.orientation)) < 1.1:
        return "orientation is not a unit quaternion"
    return None


def body_fault(state: RobotState, params: GateParams) -> str | None:
    """Return why a standing robot must be damped (the plant says so, tilt, joint limits, velocities), or None.

    Needs a trusted state.
    """
    if state.faults:
        return "; ".join(state.faults)
    tilt = tilt_of(state.orientation)
    if tilt > params.max_tilt:
        return f"tilt {tilt:.2f} rad (limit {params.max_tilt})"
    beyond = np.maximum(LOWER - state.position, state.position - UPPER)
    worst = int(np.argmax(beyond))
    if beyond[worst] > params.position_violation:
        return f"{JOINT_NAMES[worst]} is {beyond[worst]:.2f} rad beyond its limit (allowed {params.position_violation})"
    speed = np.abs(state.velocity) / VELOCITY
    worst = int(np.argmax(speed))
    if speed[worst] > params.velocity_fault_factor:
        return f"{JOINT_NAMES[worst]} moves at {state.velocity[worst]:.1f} rad/s (limit {VELOCITY[worst]} rad/s)"
    return None


def wear_fault(state: RobotState, params: GateParams) -> str | None:
    """Return why the robot should sit down (hot motor, empty battery, the plant says so), or None.

    Needs a trusted state.
    """
    if state.wear:
        return "; ".join(state.wear)
    if state.motor_temperature is not None:
        worst = int(np.argmax(state.motor_temperature))
        if state.motor_temperature[worst] > params.max_motor_temperature:
            return f"{JOINT_NAMES[worst]} is at {state.motor_temperature[worst]:.0f} C"
    if state.battery_charge is not None and state.battery_charge < params.min_battery_charge:
        return f"battery at {100 * state.battery_charge:.0f} %"
    return None


def check_command(command: JointCommand, now: float, params: GateParams) -> Setpoint | str:
    """Return the command in canonical order, or in one line why it is refused.

    Names may come in any order, but must be exactly the 18 of the joint table.
    """
    names = command.names
    if len(names) != NUM_JOINTS or set(names) != set(JOINT_NAMES):
        missing = [name for name in JOINT_NAMES if name not in names]
        unknown = [name for name in names if name not in _INDEX]
        twice = sorted({name for name in names if names.count(name) > 1})
        parts = [f"{label} {', '.join(list_[:3])}" for label, list_ in
                 (("missing", missing), ("unknown", unknown), ("twice", twice)) if list_]  # fmt: skip
        return f"command joint names: {'; '.join(parts)}"
    order = np.array([_INDEX[name] for name in names])
    columns: list[Array] = []
    for label, values in (("position", command.position), ("velocity", command.velocity), ("effort", command.effort)):
        if np.shape(values) != (NUM_JOINTS,):
            return f"command {label} has shape {np.shape(values)}, not ({NUM_JOINTS},)"
        sorted_values = np.empty(NUM_JOINTS)
        sorted_values[order] = values
        if not np.all(np.isfinite(sorted_values)):
            return f"command {label} of {JOINT_NAMES[int(np.argmin(np.isfinite(sorted_values)))]} is not finite"
        columns.append(sorted_values)
    age = now - command.state_stamp
    if not -_CLOCK_SLACK <= age <= params.command_max_state_age:
        return f"command was computed from a state {age:.3f} s old (limit {params.command_max_state_age} s)"
    return Setpoint(columns[0], columns[1], columns[2], command.received)


def start_error(setpoint: Setpoint, measured: Array, params: GateParams) -> str | None:
    """Return which joint's command is too far from its measured position to start, or None."""
    allowed = np.full(NUM_JOINTS, params.max_start_error)
    allowed[ARM_SLICE] = params.max_start_error_arm
    error = np.abs(setpoint.position - measured)
    worst = int(np.argmax(error / allowed))
    if error[worst] <= allowed[worst]:
        return None
    return (
        f"command for {JOINT_NAMES[worst]} is {error[worst]:.2f} rad from the measured position "
        f"(limit {allowed[worst]} rad)"
    )


def limit_step(goal: Array, previous: Array, elapsed: float, params: GateParams) -> Array:
    """Return `goal` moved at most the allowed rate away from `previous` and kept inside the joint limits."""
    step = np.full(NUM_JOINTS, params.leg_target_rate * elapsed)
    step[ARM_SLICE] = params.arm_target_rate * elapsed
    inside = np.clip(goal, LOWER + params.position_margin, UPPER - params.position_margin)
    return np.clip(np.clip(inside, previous - step, previous + step), LOWER, UPPER)


def limit_torque(targets: JointTargets, state: RobotState, params: GateParams) -> JointTargets:
    """Return targets whose predicted torque kp (q* - q) + kd (dq* - dq) + tau stays within the allowed effort.

    Velocity and effort are clamped, then the position target gives way, inside the joint limits.
    """
    allowed = params.torque_fraction * EFFORT
    velocity = np.clip(targets.velocity, -VELOCITY, VELOCITY)
    effort = np.clip(targets.effort, -allowed, allowed)
    rest = targets.kd * (velocity - state.velocity) + effort
    torque = targets.kp * (targets.position - state.position) + rest
    excess = torque - np.clip(torque, -allowed, allowed)
    with np.errstate(divide="ignore", invalid="ignore"):
        position = np.where(targets.kp > 0.0, targets.position - excess / targets.kp, targets.position)
    return JointTargets(np.clip(position, LOWER, UPPER), velocity, effort, targets.kp, targets.kd,
                        targets.gripper_position)  # fmt: skip


def limit_gripper(travel: float | None, previous: float | None) -> float | None:
    """Return the requested travel inside its limits, m; the previous one where none or nonsense is requested."""
    if travel is None or not np.isfinite(travel):
        return previous
    return float(np.clip(travel, GRIPPER.lower, GRIPPER.upper))
