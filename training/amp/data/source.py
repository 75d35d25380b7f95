"""Clips as they come: of any robot or body, at any rate, in one of three file formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...npz_reader import NUMBERS, array_names, read_arrays
from ..motion import SHORTEST, MotionError, load_motion

Array = NDArray[np.float64]

OWN, LOCO_MUJOCO, AMASS = "amp_motion", "loco_mujoco", "amass"
FREE, HINGE, SLIDE = 0, 3, 2
"""MuJoCo's joint types (mjtJoint), as LocoMuJoCo stores them."""

SMPL_BODY = (
    ("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
     "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
     "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist")
)  # fmt: skip
"""The joints that SMPL, SMPL-H and SMPL-X share, in the order of their poses; hands and face come after them."""
_SMPL_COUNTS = (22, 24, 52, 55)
"""Joints of the body alone, SMPL, SMPL-H, SMPL-X."""


@dataclass(frozen=True)
class SourceClip:
    """One clip. Raises MotionError on shapes or numbers that make no sense."""

    name: str
    rate: float
    """Frames per s."""
    position: Array
    """Of the root in the world (z up), m, (T, 3)."""
    rotation: Array
    """World <- root, x, y, z, w, (T, 4)."""
    joints: Mapping[str, Array] = field(default_factory=dict)
    """Scalar joints, rad or m, (T,)."""
    turns: Mapping[str, Array] = field(default_factory=dict)
    """Ball joints, parent <- child, x, y, z, w, (T, 4)."""
    velocity: Array | None = None
    """Of the root: m/s in the world, rad/s in its own frame, (T, 6); None if not known."""
    speeds: Mapping[str, Array] = field(default_factory=dict)
    """Of scalar joints, (T,), as far as known."""
    points: Mapping[str, Array] = field(default_factory=dict)
    """Bodies and sites in the world, m, (T, 3), as far as known."""

    def __post_init__(self) -> None:
        count = len(self.position)
        if count < SHORTEST:
            raise MotionError(f"clip '{self.name}' has {count} frames; at least {SHORTEST} are needed")
        if not (np.isfinite(self.rate) and self.rate > 0.0):
            raise MotionError(f"clip '{self.name}' has a rate of {self.rate} frames per s")
        named: dict[str, tuple[Array, tuple[int, ...]]]
        named = {"root position": (self.position, (count, 3)), "root rotation": (self.rotation, (count, 4))}
        named |= {f"joint {name}": (values, (count,)) for name, values in self.joints.items()}
        named |= {f"joint {name}": (values, (count, 4)) for name, values in self.turns.items()}
        named |= {f"speed of {name}": (values, (count,)) for name, values in self.speeds.items()}
        named |= {f"position of {name}": (values, (count, 3)) for name, values in self.points.items()}
        if self.velocity is not None:
            named["root velocity"] = (self.velocity, (count, 6))
        for what, (values, shape) in named.items():
            if values.shape != shape:
                raise MotionError(f"clip '{self.name}': {what} has shape {values.shape}, not {shape}")
            if not np.all(np.isfinite(values)):
                raise MotionError(f"clip '{self.name}': {what} holds numbers that are not finite")
        if np.any(np.abs(np.linalg.norm(self.rotation, axis=1) - 1.0) > 1e-2):
            raise MotionError(f"clip '{self.name}': root quaternions are not of length 1")

    @property
    def duration(self) -> float:
        """s"""
        return (len(self.position) - 1) / self.rate

    @property
    def speed(self) -> float:
        """Mean horizontal speed of the root along its way, m/s."""
        return float(np.linalg.norm(np.diff(self.position[:, :2], axis=0), axis=1).sum() / self.duration)

    @property
    def turn_rate(self) -> float:
        """Mean turn about the vertical, rad/s, positive to the left."""
        turns = Rotation.from_quat(self.rotation)
        step = (turns[1:] * turns[:-1].inv()).as_rotvec()[:, 2]
        return float(step.sum() / self.duration)


def file_format(path: Path) -> str:
    """Return which of the three formats a file has. Raises MotionError: none of them."""
    names = array_names(path, MotionError)
    if {"format", "qpos", "lengths"} <= names:
        return OWN
    if {"qpos", "joint_names", "jnt_type", "frequency"} <= names:
        return LOCO_MUJOCO
    if {"poses", "trans"} <= names:
        return AMASS
    raise MotionError(
        f"{path}: no motion in a known format: this project's clips (format, qpos, ...), LocoMuJoCo's (qpos, "
        "joint_names, jnt_type, frequency, ...) or AMASS's (poses, trans, mocap_framerate)"
    )


def read_clips(path: Path) -> list[SourceClip]:
    """Read all clips of a file. Raises MotionError with its path."""
    readers = {OWN: _read_own, LOCO_MUJOCO: _read_loco_mujoco, AMASS: _read_amass}
    reader = readers[file_format(path)]
    try:
        return reader(path)
    except MotionError as error:
        text = str(error)
        raise MotionError(text if text.startswith(str(path)) else f"{path}: {text}") from None


def _read_own(path: Path) -> list[SourceClip]:
    motion = load_motion(path)
    return [
        SourceClip(
            name,
            motion.rate,
            qpos[:, :3],
            qpos[:, [4, 5, 6, 3]],
            joints=dict(zip(motion.joints, qpos[:, 7:].T, strict=True)),
            velocity=qvel[:, :6],
            speeds=dict(zip(motion.joints, qvel[:, 6:].T, strict=True)),
        )
        for name, qpos, qvel in motion.clips()
    ]


def _read_loco_mujoco(path: Path) -> list[SourceClip]:
    """Read a file of LocoMuJoCo 1.x (`Trajectory.save`).

    Fields: qpos (N, nq), qvel (N, nv), joint_names, jnt_type, frequency, split_points (beginnings of the trajectories
    and the end of the last), and body_names with xpos (N, bodies, 3), site_names with site_xpos. Its metadata and
    observation container are pickles and stay unread.
    """
    kinds = {"qpos": NUMBERS, "joint_names": "U", "jnt_type": NUMBERS, "frequency": NUMBERS}
    extra = {"qvel": NUMBERS, "split_points": NUMBERS, "body_names": "U", "xpos": NUMBERS, "site_names": "U",
             "site_xpos": NUMBERS}  # fmt: skip
    arrays = read_arrays(path, kinds | extra, MotionError, extra)
    qpos = arrays["qpos"].astype(np.float64)
    names = [str(name) for name in arrays["joint_names"].reshape(-1)]
    types = arrays["jnt_type"].reshape(-1).astype(np.int64)
    if qpos.ndim != 2 or len(names) != len(types) or arrays["frequency"].size != 1:
        raise MotionError("qpos, joint_names, jnt_type and frequency do not belong together")
    if np.count_nonzero(types == FREE) != 1 or not np.all(np.isin(types, (FREE, HINGE, SLIDE))):
        raise MotionError("one free joint and otherwise hinges or slides are wanted")
    root, joints, width = _addresses(names, types, 7)
    root_speed, joint_speeds, speed_width = _addresses(names, types, 6)
    if qpos.shape[1] != width:
        raise MotionError(f"qpos has {qpos.shape[1]} columns, its joints have {width}")
    qvel = arrays["qvel"].astype(np.float64) if "qvel" in arrays else None
    if qvel is not None and qvel.shape != (len(qpos), speed_width):
        raise MotionError(f"qvel has shape {qvel.shape}, not {(len(qpos), speed_width)}")
    points = _points(arrays, "body_names", "xpos", len(qpos)) | _points(arrays, "site_names", "site_xpos", len(qpos))
    rate = float(arrays["frequency"].reshape(-1)[0])
    bounds = _bounds(arrays.get("split_points"), len(qpos))
    clips = []
    for index, (start, end) in enumerate(bounds):
        part = slice(start, end)
        rotation = qpos[part, root + 3 : root + 7]
        clips.append(
            SourceClip(
                path.stem if len(bounds) == 1 else f"{path.stem}_{index}",
                rate,
                qpos[part, root : root + 3],
                rotation[:, [1, 2, 3, 0]],
                joints={name: qpos[part, column] for name, column in joints.items()},
                velocity=None if qvel is None else qvel[part, root_speed : root_speed + 6],
                speeds={} if qvel is None else {name: qvel[part, column] for name, column in joint_speeds.items()},
                points={name: values[part] for name, values in points.items()},
            )
        )
    return clips


def _addresses(names: list[str], types: NDArray[np.int64], free: int) -> tuple[int, dict[str, int], int]:
    """Return where the free joint begins, the column of each other joint, and the number of columns."""
    root, columns, at = 0, {}, 0
    for name, kind in zip(names, types, strict=True):
        if kind == FREE:
            root = at
        else:
            columns[name] = at
        at += free if kind == FREE else 1
    return root, columns, at


def _points(arrays: Mapping[str, NDArray], names: str, positions: str, count: int) -> dict[str, Array]:
    labels, values = arrays.get(names), arrays.get(positions)
    if labels is None or values is None or values.shape != (count, labels.size, 3):
        return {}
    return {str(label): values[:, i].astype(np.float64) for i, label in enumerate(labels.reshape(-1))}


def _bounds(split_points: NDArray | None, count: int) -> list[tuple[int, int]]:
    if split_points is None or split_points.size == 0:
        return [(0, count)]
    splits = split_points.reshape(-1).astype(np.int64)
    if splits.size < 2 or splits[0] != 0 or splits[-1] != count or np.any(np.diff(splits) <= 0):
        raise MotionError(f"split_points must rise from 0 to the {count} frames")
    return [(int(a), int(b)) for a, b in zip(splits[:-1], splits[1:], strict=True)]


def _read_amass(path: Path) -> list[SourceClip]:
    """Read a file of AMASS, KIT's among them: poses (T, 3 x joints) as rotation vectors, trans (T, 3), its rate.

    The root is the pelvis; `trans` is where the body model puts it, up to a constant that depends on the body's shape.
    Gender, which is a pickle in many files, and betas stay unread.
    """
    rates = ("mocap_framerate", "mocap_frame_rate")
    arrays = read_arrays(
        path, {"poses": NUMBERS, "trans": NUMBERS, **dict.fromkeys(rates, NUMBERS)}, MotionError, rates
    )
    found = [arrays[name] for name in rates if name in arrays]
    if not found or found[0].size != 1:
        raise MotionError("it has no mocap_framerate")
    poses, trans = arrays["poses"].astype(np.float64), arrays["trans"].astype(np.float64)
    if poses.ndim != 2 or poses.shape[1] % 3 or poses.shape[1] // 3 not in _SMPL_COUNTS:
        raise MotionError(f"poses has shape {poses.shape}; wanted are (T, 3 x {', '.join(map(str, _SMPL_COUNTS))})")
    if trans.shape != (len(poses), 3):
        raise MotionError(f"trans has shape {trans.shape}, not {(len(poses), 3)}")
    if not np.all(np.isfinite(poses)):
        raise MotionError("poses holds numbers that are not finite")
    turns = {name: Rotation.from_rotvec(poses[:, 3 * i : 3 * i + 3]).as_quat() for i, name in enumerate(SMPL_BODY)}
    root = turns.pop("pelvis")
    return [SourceClip(path.stem, float(found[0].reshape(-1)[0]), trans, root, turns=turns)]
