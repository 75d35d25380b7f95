"""How a motion looks in numbers: joint speeds, their spectrum, and which feet are on the ground when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from .features import DiscObsSpec

Array = NDArray[np.float64]
LIFTED = 0.012
"""m above its usual lowest height from which on a foot counts as in the air."""


@dataclass(frozen=True)
class Gait:
    """Figures of one motion."""

    speed_rms: float
    """rad/s over all joints."""
    frequencies: Array
    """Hz, (F,)."""
    spectrum: Array
    """Power of the joint speeds, mean over joints, (rad/s)^2 / Hz, (F,)."""
    step_frequency: float
    """Hz, where the spectrum is highest."""
    duty: float
    """Part of the time that a foot is on the ground, mean over feet."""
    together: float
    """Part of the time that the first and the last foot are both down or both up: 1 for a trot of a quadruped."""
    height: float
    """m, of the root."""


def gait_of(states: NDArray[np.float32], spec: DiscObsSpec, period: float) -> Gait:
    """Return the figures of motion.

    Args:
        states: discriminator states (`features.disc_state`), (T, N, D); each column one motion.
        spec: names what is in them; the key sites are the feet.
        period: s between rows.
    """
    rows = np.asarray(states, dtype=np.float64)
    joints, keys = len(spec.joints), len(spec.keys)
    speeds = rows[..., 10 + joints : 10 + 2 * joints]
    feet = rows[..., 10 + 2 * joints :].reshape(*rows.shape[:2], keys, 3)
    # the third row of world <- root is minus the direction of gravity in the root's frame
    height = rows[..., 0, None] - np.einsum("tnk,tnfk->tnf", rows[..., 1:4], feet)
    down = height < np.quantile(height, 0.02, axis=(0, 1)) + LIFTED
    window = min(128, len(rows))
    frequencies, power = welch(speeds, fs=1.0 / period, nperseg=window, axis=0)
    spectrum = power.mean(axis=(1, 2))
    return Gait(
        speed_rms=float(np.sqrt(np.mean(speeds**2))),
        frequencies=frequencies,
        spectrum=spectrum,
        step_frequency=float(frequencies[1 + np.argmax(spectrum[1:])]),
        duty=float(down.mean()),
        together=float(np.mean(down[..., 0] == down[..., -1])),
        height=float(rows[..., 0].mean()),
    )


def spectrum_distance(ours: Gait, theirs: Gait) -> float:
    """Return how far two normalised spectra are apart: 0 for the same, 1 for none in common."""
    a = np.interp(theirs.frequencies, ours.frequencies, ours.spectrum)
    a, b = a / a.sum(), theirs.spectrum / theirs.spectrum.sum()
    return float(0.5 * np.abs(a - b).sum())
