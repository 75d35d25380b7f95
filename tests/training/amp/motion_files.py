"""Motion files of others, written by the tests, and a small skeleton with LocoMuJoCo's joints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.amp.data.source import SMPL_BODY

Array = NDArray[np.float64]


def write_loco_mujoco(
    path: Path, names: Sequence[str], positions: Array, velocities: Array, rate: float, **more: Any
) -> None:
    """Write what LocoMuJoCo's `Trajectory.save` writes, pickled fields included; the free joint comes first."""
    fields: dict[str, Any] = {
        "qpos": positions.astype(np.float32),
        "qvel": velocities.astype(np.float32),
        "xpos": np.empty(0),
        "split_points": np.array([0, len(positions)]),
        "joint_names": np.array(["root", *names]),
        "frequency": np.array(rate),
        "body_names": np.array(None, dtype=object),
        "site_names": np.array(None, dtype=object),
        "metadata": np.array({"made": "here"}, dtype=object),
        "njnt": np.array(1 + len(names)),
        "jnt_type": np.array([0] + [3] * len(names)),
    }
    np.savez(path, **(fields | more))


def write_amass(path: Path, turns: dict[str, Array], way: Array, rate: float, joints: int = 52, **more: Any) -> None:
    """Write what AMASS's files hold: rotation vectors (T, 3) by joint, and fields that nobody needs here."""
    poses = np.zeros((len(way), 3 * joints))
    for name, vectors in turns.items():
        start = 3 * SMPL_BODY.index(name)
        poses[:, start : start + 3] = vectors
    fields: dict[str, Any] = {
        "poses": poses,
        "trans": way,
        "mocap_framerate": np.array(rate),
        "gender": np.array("neutral"),
        "betas": np.zeros(16),
        "dmpls": np.zeros((len(way), 8)),
    }
    np.savez(path, **(fields | more))


_SIDE = """
<body name="femur_{s}" pos="-0.07 -0.07 {z}0.085">
  <joint name="hip_flexion_{s}" axis="0 0 1" range="-2 2"/>
  <joint name="hip_adduction_{s}" axis="{z}1 0 0" range="-2 2"/>
  <joint name="hip_rotation_{s}" axis="0 {z}1 0" range="-2 2"/><geom size="0.01"/>
  <body name="tibia_{s}" pos="0 -0.37 0"><joint name="knee_angle_{s}" axis="0 0 1" range="-2.1 0.2"/><geom size="0.01"/>
    <body name="talus_{s}" pos="0 -0.48 0"><joint name="ankle_angle_{s}" axis="0 0 1" range="-1.5 1.5"/>
      <geom size="0.01"/>
      <body name="toes_{s}" pos="0.15 -0.04 0"><geom type="sphere" size="0.02" contype="1"/></body></body></body></body>
"""
_ARM = """
<body name="humerus_{s}" pos="0 0.4 {z}0.18">
  <joint name="arm_flex_{s}" axis="0 0 1" range="-3 3"/><joint name="arm_add_{s}" axis="{z}1 0 0" range="-3 3"/>
  <joint name="arm_rot_{s}" axis="0 {z}1 0" range="-3 3"/><geom size="0.01"/>
  <body name="ulna_{s}" pos="0 -0.33 0"><joint name="elbow_flex_{s}" axis="0 0 1" range="-0.3 2.6"/><geom size="0.01"/>
    <body name="radius_{s}"><joint name="pro_sup_{s}" axis="0 {z}1 0" range="-1.5 1.5"/><geom size="0.01"/>
      <body name="hand_{s}" pos="0 -0.28 0"><geom size="0.01"/></body></body></body></body>
"""


def skeleton_xml() -> str:
    """Return an MJCF with the joints, axes and rest pose of LocoMuJoCo's skeleton, out of small spheres."""
    right, left = {"s": "r", "z": ""}, {"s": "l", "z": "-"}
    joints = [
        f"{name}_{s}"
        for s in "rl"
        for name in ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "arm_flex",
                     "arm_add", "arm_rot", "elbow_flex", "pro_sup")
    ] + ["lumbar_extension", "lumbar_bending", "lumbar_rotation"]  # fmt: skip
    motors = "".join(f'<motor joint="{name}" ctrlrange="-1 1"/>' for name in joints)
    return f"""<mujoco><compiler angle="radian"/>
<default><geom type="sphere" size="0.01" contype="0" conaffinity="0"/></default>
<worldbody><geom name="floor" type="plane" size="5 5 1" contype="0" conaffinity="1"/>
<body name="pelvis" pos="0 0 1" quat="0.7071067811865475 0.7071067811865475 0 0"><freejoint name="root"/>
<geom size="0.05"/>{_SIDE.format(**right)}{_SIDE.format(**left)}
<body name="torso" pos="-0.1 0.08 0"><joint name="lumbar_extension" axis="0 0 1" range="-1.5 1.5"/>
<joint name="lumbar_bending" axis="1 0 0" range="-1.5 1.5"/>
<joint name="lumbar_rotation" axis="0 1 0" range="-1.5 1.5"/><geom size="0.05"/>
{_ARM.format(**right)}{_ARM.format(**left)}</body></body></worldbody>
<actuator>{motors}</actuator></mujoco>"""
