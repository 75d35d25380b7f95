"""Clips of any source as motion of one robot."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...structured import ConfigError
from ..motion import Motion, MotionError
from ..robot import robot_config
from .inverse import follow_points
from .kinematics import RobotKinematics
from .retarget_config import RetargetConfig, TurnMap
from .signals import (
    differences,
    low_pass,
    low_pass_rotations,
    new_times,
    resample,
    resample_rotations,
    turn_rates,
)
from .source import SourceClip

Array = NDArray[np.float64]

GROUND_PERCENTILE = 5.0
"""Of a clip's lowest points: the one that is put on the floor. Not the lowest of all, which one bad frame may make."""


class Retargeter:
    """Maps clips by a configuration.

    Args:
        config: the mapping.

    Raises:
        ConfigError: its robot is unknown, has no model, or lacks what the mapping names.
    """

    def __init__(self, config: RetargetConfig) -> None:
        self.config = config
        self.kinematics = RobotKinematics(robot_config(config.robot))
        known = set(self.kinematics.joints)
        named = {*config.joints, *config.hold, *(joint for turn in config.turns for joint in turn.joints)}
        self._expect(named - known, "joint")
        self._expect(set(config.key_bodies) - set(self.kinematics.keys), "key site or body")

    def _expect(self, unknown: set[str], what: str) -> None:
        if unknown:
            raise ConfigError(f"{self.config.robot} has no {what} {', '.join(sorted(unknown))}")

    def __call__(self, clip: SourceClip) -> Motion:
        """Return a clip as motion of the robot. Raises MotionError."""
        try:
            return self._retarget(clip)
        except MotionError as error:
            text = str(error)
            raise MotionError(text if f"'{clip.name}'" in text else f"clip '{clip.name}': {text}") from None

    def _retarget(self, clip: SourceClip) -> Motion:
        config, joints = self.config, self.kinematics.joints
        kept = config.velocities == "source"
        if kept and clip.velocity is None:
            raise MotionError("it has no velocities to keep: use `velocities: differences`")
        clip = self._in_time(clip)
        angles, speeds = self._joints(clip)
        matrix = Rotation.from_matrix(config.root.matrix)
        rotation = (Rotation.from_quat(clip.rotation) * matrix).as_quat()
        position = clip.position * config.root.scale + [0.0, 0.0, config.root.height]
        qpos = np.concatenate([position, rotation[:, [3, 0, 1, 2]], angles], axis=1)
        if config.key_bodies:
            qpos = follow_points(self.kinematics, qpos, self._targets(clip, position, rotation))
        if config.clip_to_limits:
            qpos[:, 7:] = np.clip(qpos[:, 7:], self.kinematics.lower, self.kinematics.upper)
        if kept:
            assert clip.velocity is not None
            linear, turning = clip.velocity[:, :3] * config.root.scale, matrix.inv().apply(clip.velocity[:, 3:])
        else:
            linear, turning = differences(position, config.rate), turn_rates(rotation, config.rate)
            speeds = differences(qpos[:, 7:], config.rate)
        motion = Motion(
            joints, qpos, np.concatenate([linear, turning, speeds], axis=1), (len(qpos),), (clip.name,), config.rate
        )
        return self._grounded(motion) if config.ground else motion

    def _in_time(self, clip: SourceClip) -> SourceClip:
        """Return the clip smoothed and at the rate of the result."""
        cutoff, rate = self.config.low_pass, clip.rate
        same = abs(rate - self.config.rate) < 1e-6 * rate
        if same and not cutoff:
            return clip
        times = new_times(len(clip.position), rate, self.config.rate)

        def values(signal: Array) -> Array:
            signal = low_pass(signal, rate, cutoff) if cutoff else signal
            return signal if same else resample(signal, rate, times)

        def rotations(signal: Array) -> Array:
            signal = low_pass_rotations(signal, rate, cutoff) if cutoff else signal
            return signal if same else resample_rotations(signal, rate, times)

        def each(signals: Mapping[str, Array]) -> dict[str, Array]:
            return {name: values(signal) for name, signal in signals.items()}

        return replace(
            clip,
            rate=self.config.rate,
            position=values(clip.position),
            rotation=rotations(clip.rotation),
            joints=each(clip.joints),
            turns={name: rotations(turn) for name, turn in clip.turns.items()},
            velocity=None if clip.velocity is None else values(clip.velocity),
            speeds=each(clip.speeds),
            points=each(clip.points),
        )

    def _joints(self, clip: SourceClip) -> tuple[Array, Array]:
        """Return positions and, as far as known, speeds of the robot's joints, (T, J)."""
        config, kinematics = self.config, self.kinematics
        angles = np.tile(kinematics.home, (len(clip.position), 1))
        speeds = np.zeros_like(angles)
        turned = {name: values for turn in config.turns for name, values in self._turned(turn, clip).items()}
        without = []
        for column, name in enumerate(kinematics.joints):
            if name in config.joints:
                wanted = config.joints[name]
                factor = wanted.sign * wanted.scale
                angles[:, column] = factor * _find(clip.joints, wanted.source, "joint") + wanted.offset
                speeds[:, column] = factor * self._speed(clip, wanted.source)
            elif name in turned:
                angles[:, column] = turned[name]
            elif name in config.hold:
                angles[:, column] = config.hold[name]
            elif config.same_names and name in clip.joints:
                angles[:, column], speeds[:, column] = clip.joints[name], self._speed(clip, name)
            else:
                without.append(name)
        if without and config.others == "refuse":
            raise MotionError(
                f"nothing for the robot's {_some(without)}: its joints are {_some([*clip.joints, *clip.turns])}; "
                "map these joints, hold them, or set `others: home`"
            )
        return angles, speeds

    def _speed(self, clip: SourceClip, joint: str) -> Array | float:
        return _find(clip.speeds, joint, "speed of joint") if self.config.velocities == "source" else 0.0

    def _turned(self, turn: TurnMap, clip: SourceClip) -> dict[str, Array]:
        """Return the angles of the hinges that stand for ball joints."""
        total = Rotation.identity(len(clip.position))
        for name in turn.sources:
            total = total * Rotation.from_quat(_find(clip.turns, name, "ball joint"))
        frame = Rotation.from_matrix(self.config.root.matrix)
        rest, parent = Rotation.from_rotvec(turn.rest), Rotation.from_rotvec(turn.parent_rest)
        own = parent.inv() * (frame.inv() * total * frame) * rest
        if len(turn.joints) == 1:
            x, y, z, w = own.as_quat().T
            angles = 2.0 * np.arctan2({"X": x, "Y": y, "Z": z}[turn.axes], w)[:, None]  # its share about the axis
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # gimbal lock: one of many solutions is as good
                angles = own.as_euler(turn.axes)
        angles = np.unwrap(angles, axis=0)
        angles -= 2.0 * np.pi * np.round(np.median(angles, axis=0) / (2.0 * np.pi))
        signs = turn.signs or (1.0,) * len(turn.joints)
        offsets = turn.offsets or (0.0,) * len(turn.joints)
        return {
            name: sign * angles[:, i] + offset
            for i, (name, sign, offset) in enumerate(zip(turn.joints, signs, offsets, strict=True))
        }

    def _targets(self, clip: SourceClip, position: Array, rotation: Array) -> dict[str, Array]:
        """Return where the key bodies are to be in the world, m, (T, 3) each."""
        turn = Rotation.from_quat(rotation)
        targets = {}
        for name, key in self.config.key_bodies.items():
            away = _find(clip.points, key.source, "body or site") - clip.position
            targets[name] = position + key.scale * away + turn.apply(key.offset)
        return targets

    def _grounded(self, motion: Motion) -> Motion:
        lowest = self.kinematics.traces(motion)[2]
        qpos = motion.qpos.copy()
        qpos[:, 2] -= np.percentile(lowest, GROUND_PERCENTILE)
        return replace(motion, qpos=qpos)


def _find(values: Mapping[str, Array], name: str, what: str) -> Array:
    if name not in values:
        raise MotionError(f"it has no {what} '{name}'; it has {_some(list(values)) or 'none'}")
    return values[name]


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
