"""Thresholds of the safety gate. The defaults here are the only copy; `config/bridge.yaml` lists what users change.

Sources
    [F] limits used in the field, read in the code of public stacks (UMI-on-Legs, walk-these-ways, rl_sar, INRIA's
        unitree_control_interface, Quadruped-PyMPC, unitree_rl_lab).
    [H] the guards that the vendors' SDKs and our emulator tests suggest.
    [J] the joint table (`go2_piper_description.joints`), which carries sources of its own.
    [T] our own trials in simulation with the loaded robot (19.9 kg).
    [A] assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class GateParams:
    """Thresholds of the gate; SI units. Raises ValueError, in one line, if one cannot work."""

    # what the robot reports
    state_timeout: float = 0.1
    """s, older states are treated as a lost robot. [F] DIAL 0.1 s; [H] 0.05 s plus slack for a desktop kernel."""
    max_tilt: float = 1.0
    """rad between the base's and the world's z axis. [F] 1.3 (rl_sar) to 1.6 (WTW), [H] 0.8: between them."""
    position_violation: float = 0.15
    """rad beyond a joint's limits. [T] lying on the calf stops costs 0.02, sensor noise 0.01."""
    velocity_fault_factor: float = 2.0
    """Times the joint's velocity limit [J]. [T] pushes reach 0.7 on the legs and 1.6 on the arm."""
    max_motor_temperature: float = 85.0
    """degrees C; above it the robot sits down. [H] 85 damps on the legs; sitting down does not drop the arm."""
    min_battery_charge: float = 0.10
    """0 to 1; below it the robot sits down. [H] 10 %."""

    # what the controller sends
    command_hold_after: float = 0.1
    """s without a good command until HOLD: five control periods. [H] 0.04 to 0.1 s."""
    command_damp_after: float = 1.5
    """s without a good command until DAMPING. [T] out of a stride the robot is at rest by then; let down after 0.5 s,
    one stop in ten ended on its side."""
    command_max_state_age: float = 0.25
    """s; a command computed from an older state counts as bad. [A]"""
    position_margin: float = 0.02
    """rad that commands stay inside the joint limits. [F] INRIA keeps 0.04 to 0.06 s of motion."""
    leg_target_rate: float = 30.0
    """rad/s at which a leg's position target may move: the legs' velocity limit [J]."""
    arm_target_rate: float = 3.0
    """rad/s for the arm: its velocity limit [J]; the joint follows the target with a lag of kd/kp = 0.05 s."""
    torque_fraction: float = 0.9
    """Of the effort limit [J] that predicted torque may reach. [F] PyMPC 0.9."""
    max_start_error: float = 0.6
    """rad between a leg's measured position and the first command at `activate`. [F] UMI starts within 0.5 rad."""
    max_start_error_arm: float = 1.0
    """The same for the arm, whose targets the rate limit turns into a slow start. [A]"""

    # ramps
    stand_duration: float = 2.5
    """s to stand up. [F] 2 s (rl_lab), 1 + 2 s (rl_sar), 5 s (UMI)."""
    stand_gain_ramp: float = 0.5
    """s over which the gains grow to their full value. [A]"""
    stand_max_tilt: float = 0.5
    """rad, more and the robot is not lying on its belly. [A]"""
    stand_max_velocity: float = 2.0
    """rad/s of any joint, more and the robot is still moving or falling. [A]"""
    stand_tolerance: float = 0.4
    """rad between the stand pose and a leg at the end. [T] the loaded robot sags by up to 0.2."""
    stand_grace: float = 1.0
    """s beyond the ramp to come within the tolerance, then DAMPING. [A]"""
    calm_time: float = 0.1
    """s without a leg joint above `stand_max_velocity` before the legs count as calm: `sit` is taken out of ACTIVE, and
    a stop goes to the stand pose. [T] while the robot walks at 0.3 m/s or more such moments last 0.01 s."""
    sit_duration: float = 3.0
    """s to sit down and fold the arm. [T]"""
    settle_ramp: float = 0.4
    """s in which HOLD or `sit` out of ACTIVE brings calm legs to the stand pose. [T]"""
    brace_ramp: float = 0.1
    """s in which a stop out of a stride takes the legs to the low, wide stance. [T] stops out of 0.5 m/s forward with
    0.4 s to the stand pose: four of eight on the side; 0.1 s to the low stance: tilt at most 0.2 rad."""
    max_ramp_velocity: float = 2.5
    """rad/s; ramps that start far away take longer. Below the arm's 3 rad/s [J]."""

    # gains without a target
    passive_kd: float = 3.0
    """N m s/rad on all joints while the robot lies. [F] 1 to 8; [T] 1 lets the loose legs slip apart fast."""
    damping_kd_leg: float = 8.0
    """N m s/rad on the legs in DAMPING and ESTOP. [F] 1 to 8; [T] out of a stride at 0.5 m/s the robot tilts by up to
    0.65 rad with 8, 0.86 with 5, 1.29 with 3."""
    damping_arm_gain: float = 0.5
    """Of the arm's gains [J] that hold it where it was: firm against its weight, soft on contact. [T]"""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"gate.{item.name} is {value}: it must be a finite number above 0")
        if self.command_damp_after <= self.command_hold_after:
            raise ValueError("gate.command_damp_after must be longer than gate.command_hold_after")
        if self.torque_fraction > 1.0:
            raise ValueError(f"gate.torque_fraction is {self.torque_fraction}: it must not be above 1")
