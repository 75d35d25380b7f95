"""Motion over time: resampling, smoothing, differences. Rotations are quaternions x, y, z, w."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.signal import butter, filtfilt
from scipy.spatial.transform import Rotation, Slerp

from ..motion import SHORTEST, MotionError

Array = NDArray[np.float64]


def new_times(count: int, rate: float, new_rate: float) -> Array:
    """Return the times of frames at another rate within the same span, s. Raises MotionError: fewer than SHORTEST."""
    frames = int(np.floor((count - 1) / rate * new_rate + 1e-6)) + 1
    if frames < SHORTEST:
        raise MotionError(f"{frames} frames at {new_rate:g} Hz are too short; at least {SHORTEST} are needed")
    return np.arange(frames) / new_rate


def resample(values: Array, rate: float, times: Array) -> Array:
    """Return values (T, ...) at other times: smooth curves that do not overshoot (monotone cubic)."""
    own = np.arange(len(values)) / rate
    return PchipInterpolator(own, values, axis=0)(np.minimum(times, own[-1]))


def resample_rotations(rotations: Array, rate: float, times: Array) -> Array:
    """Return rotations (T, 4) at other times, on the shortest arcs (slerp)."""
    own = np.arange(len(rotations)) / rate
    return Slerp(own, Rotation.from_quat(rotations))(np.minimum(times, own[-1])).as_quat()


def low_pass(values: Array, rate: float, cutoff: float) -> Array:
    """Return values (T, ...) without what is faster than `cutoff` Hz: Butterworth, both ways, so without delay.

    Raises:
        MotionError: the clip's rate is too low for it.
    """
    if cutoff >= 0.5 * rate:
        raise MotionError(f"low_pass {cutoff:g} Hz needs clips of more than {2.0 * cutoff:g} Hz, not {rate:g}")
    b, a = butter(2, cutoff, fs=rate)
    return filtfilt(b, a, values, axis=0, padlen=min(3 * max(len(a), len(b)), len(values) - 1))


def low_pass_rotations(rotations: Array, rate: float, cutoff: float) -> Array:
    """Return rotations (T, 4) without what is faster than `cutoff` Hz. As `low_pass`."""
    smooth = low_pass(continuous(rotations), rate, cutoff)
    return smooth / np.linalg.norm(smooth, axis=1, keepdims=True)


def continuous(rotations: Array) -> Array:
    """Return the same rotations (T, 4) with signs that do not jump."""
    dots = np.sum(rotations[1:] * rotations[:-1], axis=1)
    signs = np.concatenate([[1.0], np.cumprod(np.where(dots < 0.0, -1.0, 1.0))])
    return rotations * signs[:, None]


def differences(values: Array, rate: float) -> Array:
    """Return the derivative of values (T, ...): central differences, one-sided at the ends."""
    return np.gradient(values, 1.0 / rate, axis=0)


def turn_rates(rotations: Array, rate: float) -> Array:
    """Return turn rates in the turning frame, rad/s, (T, 3): central differences, one-sided at the ends."""
    turns = Rotation.from_quat(rotations)
    last = len(rotations) - 1
    before = np.maximum(np.arange(last + 1) - 1, 0)
    after = np.minimum(np.arange(last + 1) + 1, last)
    return (turns[before].inv() * turns[after]).as_rotvec() * (rate / (after - before))[:, None]
