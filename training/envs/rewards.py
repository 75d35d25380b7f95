"""Reward terms of the Go2 + Piper environment, one plain function of the batch each.

Weights are in `config.Rewards`; the terms here are unweighted, shape (num_envs,). Their shapes follow legged_gym.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from go2_piper_description.joints import ARM_SLICE, LEG_SLICE, joint_array
from numpy.typing import NDArray

from .config import Rewards

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

NOMINAL_HEIGHT = 0.285
"""m, base height while standing and walking."""
_DEFAULT = joint_array("stand")
_HIPS = np.arange(0, 12, 3)


@dataclass
class RewardInputs:
    """What the terms need after one control step; arrays over environments."""

    linear_velocity: Array
    """m/s in base_link, (N, 3)."""
    angular_velocity: Array
    """rad/s in base_link, (N, 3)."""
    gravity: Array
    """Unit vector in base_link, (N, 3)."""
    height: Array
    joint_position: Array
    joint_velocity: Array
    joint_acceleration: Array
    torque: Array
    command: Array
    ee_error: Array
    """m, (N,)."""
    ee_angle: Array
    """rad, (N,)."""
    action: Array
    last_action: Array
    foot_contact: Mask
    foot_speed: Array
    """m/s horizontally, (N, 4)."""
    air_time_at_touchdown: Array
    """s, (N, 4); 0 where no foot touched down in this step."""
    fallen: Mask
    walk: Mask
    reach: Mask
    stand: Mask
    arm_neutral: Mask


def total_reward(x: RewardInputs, w: Rewards, period: float) -> tuple[Array, dict[str, Array]]:
    """Return the reward per environment and its weighted terms (per second).

    Negative sums are cut to zero, so that an early fall is never a gain; the fall itself costs `w.fall`.
    """
    wanted = np.where(x.stand[:, None], 0.0, x.command)
    walking = np.linalg.norm(wanted, axis=1) > 0.05
    linear = np.sum((x.linear_velocity[:, :2] - wanted[:, :2]) ** 2, axis=1)
    yaw = (x.angular_velocity[:, 2] - wanted[:, 2]) ** 2
    legs = np.sum(np.abs(x.joint_position[:, LEG_SLICE] - _DEFAULT[LEG_SLICE]), axis=1)
    legs_squared = np.sum((x.joint_position[:, LEG_SLICE] - _DEFAULT[LEG_SLICE]) ** 2, axis=1)
    arm = np.sum((x.joint_position[:, ARM_SLICE] - _DEFAULT[ARM_SLICE]) ** 2, axis=1)
    moving = x.walk | x.stand
    terms = {
        "linear_velocity": w.linear_velocity * np.exp(-linear / 0.25) * moving,
        "yaw_velocity": w.yaw_velocity * np.exp(-yaw / 0.25) * moving,
        "linear_velocity_sharp": w.linear_velocity_sharp * np.exp(-linear / 0.025) * x.walk,
        "yaw_velocity_sharp": w.yaw_velocity_sharp * np.exp(-yaw / 0.025) * x.walk,
        "ee_position": w.ee_position * np.exp(-x.ee_error / 0.25) * x.reach,
        "ee_position_sharp": w.ee_position_sharp * np.exp(-((x.ee_error / 0.04) ** 2)) * x.reach,
        "ee_orientation": w.ee_orientation * np.exp(-x.ee_angle / 0.5) * x.reach,
        "ee_orientation_sharp": w.ee_orientation_sharp * np.exp(-((x.ee_angle / 0.15) ** 2)) * x.reach,
        "vertical_velocity": w.vertical_velocity * x.linear_velocity[:, 2] ** 2,
        "roll_pitch_velocity": w.roll_pitch_velocity * np.sum(x.angular_velocity[:, :2] ** 2, axis=1),
        "tilt": w.tilt * np.sum(x.gravity[:, :2] ** 2, axis=1),
        "height": w.height * (x.height - NOMINAL_HEIGHT) ** 2,
        "torque": w.torque * np.sum(x.torque**2, axis=1),
        "joint_acceleration": w.joint_acceleration * np.sum(x.joint_acceleration**2, axis=1),
        "action_rate": w.action_rate * np.sum((x.action - x.last_action) ** 2, axis=1),
        "hip_deviation": w.hip_deviation * np.sum(np.abs(x.joint_position[:, _HIPS] - _DEFAULT[_HIPS]), axis=1),
        "foot_slip": w.foot_slip * np.sum(x.foot_speed**2 * x.foot_contact, axis=1) * x.walk,
        "stand_still": w.stand_still * legs * (x.walk & ~walking),
        "arm_neutral": w.arm_neutral * arm * x.arm_neutral,
        "stand_motion": w.stand_motion
        * np.sum(x.joint_velocity[:, LEG_SLICE] ** 2, axis=1)
        * (x.stand | (x.walk & ~walking)),
        "leg_neutral": w.leg_neutral * legs_squared * x.stand,
        "lifted_foot": w.lifted_foot * np.sum(~x.foot_contact, axis=1) * (x.stand | (x.walk & ~walking)),
        "air_time": w.air_time
        / period
        * np.sum((x.air_time_at_touchdown - 0.25) * (x.air_time_at_touchdown > 0), axis=1)
        * (x.walk & walking),
    }
    total = np.maximum(sum(terms.values()), 0.0) * period + w.fall * x.fallen
    return total, terms
