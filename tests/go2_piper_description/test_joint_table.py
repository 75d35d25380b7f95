"""The joint table is consistent in itself."""

from __future__ import annotations

import numpy as np
import pytest
from go2_piper_description.joints import (
    ARM_JOINT_NAMES,
    ARM_SLICE,
    GRIPPER,
    JOINT_NAMES,
    JOINTS,
    LEG_JOINT_NAMES,
    LEG_SLICE,
    NUM_JOINTS,
    Joint,
    joint_array,
)

EVERY_JOINT = [pytest.param(joint, id=joint.name) for joint in (*JOINTS, GRIPPER)]


def test_canonical_order() -> None:
    legs = [f"{leg}_{part}_joint" for leg in ("FL", "FR", "RL", "RR") for part in ("hip", "thigh", "calf")]
    assert list(JOINT_NAMES) == legs + [f"piper_joint{i}" for i in range(1, 7)]
    assert JOINT_NAMES[LEG_SLICE] == LEG_JOINT_NAMES
    assert JOINT_NAMES[ARM_SLICE] == ARM_JOINT_NAMES


@pytest.mark.parametrize("joint", EVERY_JOINT)
def test_poses_are_within_the_limits(joint: Joint) -> None:
    assert joint.lower < joint.upper
    assert joint.lower <= joint.stand <= joint.upper
    assert joint.lower <= joint.rest <= joint.upper


@pytest.mark.parametrize("joint", EVERY_JOINT)
def test_numbers_are_physical(joint: Joint) -> None:
    assert min(joint.effort, joint.velocity, joint.kp, joint.kd, joint.armature) > 0
    assert min(joint.damping, joint.frictionloss) >= 0


def test_left_and_right_legs_mirror_each_other() -> None:
    for front in "FR":
        left = {j.name[3:]: j for j in JOINTS if j.name.startswith(f"{front}L_")}
        right = {j.name[3:]: j for j in JOINTS if j.name.startswith(f"{front}R_")}
        for part, joint in left.items():
            sign = -1.0 if part == "hip_joint" else 1.0
            assert joint.stand == sign * right[part].stand
            assert joint.rest == right[part].rest
            assert joint.effort == right[part].effort


def test_joint_array_is_a_fresh_column() -> None:
    column = joint_array("kp")
    assert column.shape == (NUM_JOINTS,) and column.dtype == np.float64
    column[:] = 0.0
    assert np.all(joint_array("kp") > 0)
    assert list(joint_array("upper")) == [joint.upper for joint in JOINTS]
