"""The joint table: names, order, limits, gains and poses of the Go2 + Piper, with their sources.

Everything that needs a joint fact (MJCF, URDF, observation, safety gate, drivers) reads it here, by name.
SI units: rad, rad/s, N m; the gripper in m, N.

Sources
    [U]  unitree_ros go2_description.urdf @3b6a691: position, effort and velocity limits of the legs.
    [M]  mujoco_menagerie unitree_go2 @2ffe3e3: armature, friction loss.
    [P]  piper_ros URDF @71127cd, kinematics equal to piper_sdk 0.6.2: limits of the arm.
    [S]  piper_sdk 0.6.2 piper_param_manager.py: limits and the 3 rad/s cap of the arm.
    [C]  piper_control @5e61fde: joint 6 is limited to +-1.745 rad, less than [S]; the table takes the intersection.
    [L]  LiChen_LeggedManip (a trained Go2 + Piper stack): arm efforts.
    [T]  our own trials with 19.9 kg: kp 40 sags to 0.24 m, kp 60 kd 1.5 stands at 0.28 m; arm gains.
    [A]  assumed; nobody publishes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

LEGS = ("FL", "FR", "RL", "RR")
"""Leg names in canonical order: front left, front right, rear left, rear right."""


@dataclass(frozen=True)
class Joint:
    """One actuated joint. Positions in rad (gripper: m), efforts in N m (gripper: N)."""

    name: str
    lower: float
    upper: float
    effort: float
    velocity: float
    kp: float
    """Position gain of the low-level PD, N m/rad."""
    kd: float
    """Velocity gain of the low-level PD, N m s/rad."""
    armature: float
    """Reflected rotor inertia, kg m2."""
    damping: float
    """Passive viscous damping, N m s/rad."""
    frictionloss: float
    """Coulomb friction, N m."""
    stand: float
    """Standing pose, which is also the default pose of every policy (legged_gym's Go2 pose, arm at home)."""
    rest: float
    """Lying pose, from which the robot stands up and to which it sits down (arm folded)."""
    brace: float = 0.0
    """Low and wide stance that catches the robot out of a stride; legs only. [T] stops out of 0.8 m/s stay upright."""


def _leg(leg: str) -> tuple[Joint, ...]:
    left = 1.0 if leg[1] == "L" else -1.0
    front = leg[0] == "F"
    passive = {"armature": 0.01, "damping": 0.1, "frictionloss": 0.2}  # [M], damping of unitree_mujoco's Go2
    gains = {"kp": 60.0, "kd": 1.5}  # [T]
    low, high = (-1.5708, 3.4907) if front else (-0.5236, 4.5379)  # [U]
    return (
        Joint(f"{leg}_hip_joint", -1.0472, 1.0472, 23.7, 30.1, stand=0.1 * left, rest=0.0, brace=0.25 * left,
              **gains, **passive),
        Joint(f"{leg}_thigh_joint", low, high, 23.7, 30.1, stand=0.8 if front else 1.0, rest=1.36,
              brace=1.1 if front else 1.3, **gains, **passive),
        Joint(f"{leg}_calf_joint", -2.7227, -0.83776, 35.55, 20.07, stand=-1.5, rest=-2.65, brace=-2.1,
              **gains, **passive),
    )  # fmt: skip


_ARM_PASSIVE = {"armature": 0.01, "damping": 0.5, "frictionloss": 0.1}  # [A]

LEG_JOINTS: tuple[Joint, ...] = tuple(joint for leg in LEGS for joint in _leg(leg))

ARM_JOINTS: tuple[Joint, ...] = (
    #     name            lower    upper   effort vel  kp    kd   [P][S] [L] [S] [T]
    Joint("piper_joint1", -2.618, 2.618, 20.0, 3.0, 80.0, 4.0, stand=0.0, rest=0.0, **_ARM_PASSIVE),
    Joint("piper_joint2", 0.0, 3.14, 20.0, 3.0, 80.0, 4.0, stand=1.57, rest=0.0, **_ARM_PASSIVE),
    Joint("piper_joint3", -2.967, 0.0, 15.0, 3.0, 80.0, 4.0, stand=-1.35, rest=0.0, **_ARM_PASSIVE),
    Joint("piper_joint4", -1.745, 1.745, 7.0, 3.0, 40.0, 2.0, stand=0.0, rest=0.0, **_ARM_PASSIVE),
    Joint("piper_joint5", -1.22, 1.22, 5.0, 3.0, 20.0, 1.0, stand=0.0, rest=0.0, **_ARM_PASSIVE),
    Joint("piper_joint6", -1.745, 1.745, 5.0, 3.0, 20.0, 1.0, stand=0.0, rest=0.0, **_ARM_PASSIVE),  # [C]
)

JOINTS: tuple[Joint, ...] = LEG_JOINTS + ARM_JOINTS
"""The 18 joints that a policy commands, in canonical order."""

GRIPPER = Joint("piper_gripper", 0.0, 0.035, 10.0, 1.0, 500.0, 20.0, 0.01, 1.0, 0.1, stand=0.0, rest=0.0)
"""Travel of each finger in m (the SDK's stroke is twice this). Gains [A]; effort and travel [P]."""

JOINT_NAMES: tuple[str, ...] = tuple(joint.name for joint in JOINTS)
LEG_JOINT_NAMES: tuple[str, ...] = tuple(joint.name for joint in LEG_JOINTS)
ARM_JOINT_NAMES: tuple[str, ...] = tuple(joint.name for joint in ARM_JOINTS)
JOINT_BY_NAME: Mapping[str, Joint] = MappingProxyType({joint.name: joint for joint in (*JOINTS, GRIPPER)})
NUM_JOINTS = len(JOINTS)

LEG_SLICE = slice(0, len(LEG_JOINTS))
ARM_SLICE = slice(len(LEG_JOINTS), NUM_JOINTS)


def joint_array(field: str) -> NDArray[np.float64]:
    """Return one column of the table as a fresh array, shape (18,), canonical order.

    Args:
        field: a numeric field of `Joint`, such as "lower", "kp" or "stand".
    """
    return np.array([getattr(joint, field) for joint in JOINTS], dtype=np.float64)
