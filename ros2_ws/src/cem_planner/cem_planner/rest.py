"""Whether the robot stands: what must hold before its feet are taken as planted, and while they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import LEG_SLICE, joint_array
from numpy.typing import NDArray
from robot_bridge.checks import tilt_of
from robot_bridge.types import RobotState
from scipy.spatial.transform import Rotation

from . import leg_kinematics
from .stance import Stance

Array = NDArray[np.float64]

_STAND = joint_array("stand")[LEG_SLICE]
_STEP = 1e-6
"""rad, of the finite differences."""


@dataclass(frozen=True)
class RestParams:
    """Borders of standing still and of a stance that is kept."""

    base_speed: float = 0.08
    """m/s, where the base's velocity is known. [T] the shipped policy sways with up to 0.05 while it stands."""
    turn_rate: float = 0.35
    """rad/s of the IMU. [A]"""
    joint_speed: float = 1.0
    """rad/s of each leg joint. [A] a step takes more than 3."""
    foot_spread: float = 0.03
    """m between the highest and the lowest foot; a swing foot is lifted by more. [A]"""
    foot_force: float = 10.0
    """N that each foot bears; a standing robot has 50 on each. [A]"""
    leg_offset: float = 0.6
    """rad of a leg joint from the stand pose, so that the trunk is near its nominal place over the feet. [A]"""
    slip: float = 0.08
    """m that a foot may be away from its place in the stance. [A] 100 N pushes left 0.04 m in the trials."""
    tilt: float = 0.5
    """rad of the trunk; the planner itself stays within 0.35. [A]"""


def foot_forces(state: RobotState) -> Array:
    """Return the force of each foot on the ground as the leg torques tell it, N upwards, shape (4,).

    The legs' own weight and inertia are neglected.
    """
    q = state.position[LEG_SLICE]
    moved = leg_kinematics.forward(q + _STEP * np.eye(len(q)))  # (12, 4, 3): each joint moved in turn
    slopes = (moved - leg_kinematics.forward(q)) / _STEP
    up = Rotation.from_quat(state.orientation).as_matrix()[2]
    torque, forces = state.effort[LEG_SLICE], np.empty(4)
    for leg in range(4):
        rows = slice(3 * leg, 3 * leg + 3)
        # tau = J^T f for the force of the foot on the ground, f = -(what the ground does)
        force = np.linalg.lstsq(slopes[rows, leg, :], torque[rows], rcond=None)[0]
        forces[leg] = -force @ up
    return forces


def at_rest(state: RobotState, params: RestParams) -> bool:
    """Whether the robot stands still on four feet near its stand pose; needs finite numbers."""
    if np.abs(state.velocity[LEG_SLICE]).max() > params.joint_speed:
        return False
    if np.linalg.norm(state.angular_velocity) > params.turn_rate or tilt_of(state.orientation) > params.tilt:
        return False
    if state.base is not None and np.linalg.norm(state.base.linear_velocity) > params.base_speed:
        return False
    if np.abs(state.position[LEG_SLICE] - _STAND).max() > params.leg_offset:
        return False
    heights = leg_kinematics.forward(state.position[LEG_SLICE]) @ Rotation.from_quat(state.orientation).as_matrix()[2]
    if np.ptp(heights) > params.foot_spread:
        return False
    return bool(foot_forces(state).min() > params.foot_force)


def stance_kept(state: RobotState, stance: Stance, params: RestParams) -> bool:
    """Whether the trunk is upright and the feet are where the stance has them."""
    if tilt_of(state.orientation) > params.tilt:
        return False
    feet, _ = stance.from_base(state, leg_kinematics.forward(state.position[LEG_SLICE]), np.eye(3))
    return bool(np.linalg.norm(feet - stance.feet, axis=1).max() <= params.slip)
