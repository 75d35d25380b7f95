"""Splines over knots: constant, linear or cubic pieces, and their shift in time.

A trajectory is `basis @ knots`, which is linear in the knots, so that rollouts can be prepared offline. Before its
first and after its last time a spline holds.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from .settings import SPLINES, SettingsError

Array = NDArray[np.float64]


def knot_times(horizon: float, num_knots: int, kind: str) -> Array:
    """Return when each knot counts, s, shape (num_knots,).

    "zero": the beginning of the piece that the knot fills; the pieces share the horizon equally, so that no knot is
    spent on its very end. "linear", "cubic": equally spaced from 0 to the horizon.
    """
    _check(horizon, num_knots, kind)
    if num_knots == 1:
        return np.zeros(1)
    return np.linspace(0.0, horizon, num_knots, endpoint=kind != "zero")


def basis(times: ArrayLike, horizon: float, num_knots: int, kind: str) -> Array:
    """Return the matrix B so that the trajectory at the times is B @ knots. Its rows sum to 1.

    Args:
        times: s since the spline's beginning, shape (T,); clipped to 0 to `horizon`.
        horizon: s.
        num_knots: K.
        kind: "zero", "linear" or "cubic" (natural at its beginning, at rest at its end, where it will hold).

    Returns:
        shape (T, K).

    Raises:
        SettingsError: if there is no such spline.
        ValueError: if a time is not a number.
    """
    _check(horizon, num_knots, kind)
    t = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if np.isnan(t).any():
        raise ValueError("spline: a time is not a number")
    t = np.clip(t, 0.0, horizon)
    if num_knots == 1:
        return np.ones((len(t), 1))
    if kind == "cubic":
        return np.asarray(_cubic(horizon, num_knots)(t))
    if kind == "zero":
        piece = np.minimum(_snapped(t * (num_knots / horizon)).astype(np.intp), num_knots - 1)
        return np.asarray(np.eye(num_knots)[piece])
    place = t * ((num_knots - 1) / horizon)
    return np.clip(1.0 - np.abs(place[:, None] - np.arange(num_knots)), 0.0, 1.0)


def shift(knots: NDArray[np.floating], dt: float, horizon: float, kind: str) -> NDArray[np.floating]:
    """Return the knots of the spline as seen `dt` later; its end holds.

    Linear and cubic splines are sampled at the new knots' times. Of a constant spline each new piece is the mean over
    the piece: samples at its beginning would not move at all under shifts shorter than a piece.

    Args:
        knots: shape (..., K, D).
        dt: s; negative shifts back, where the beginning holds.
        horizon: s.
        kind: "zero", "linear" or "cubic".

    Returns:
        shape (..., K, D), of the knots' type; a copy.
    """
    num_knots = knots.shape[-2]
    if not math.isfinite(dt):
        raise ValueError(f"spline: a shift by {dt} s is not possible")
    if dt == 0.0:
        return np.array(knots)
    # differences of time stamps are equal but for rounding, and the matrix is kept
    return np.asarray(_shift_matrix(round(float(dt), 9), float(horizon), num_knots, kind) @ knots, dtype=knots.dtype)


@lru_cache(maxsize=256)
def _shift_matrix(dt: float, horizon: float, num_knots: int, kind: str) -> Array:
    _check(horizon, num_knots, kind)
    if kind != "zero":
        return basis(knot_times(horizon, num_knots, kind) + dt, horizon, num_knots, kind)
    begin = np.arange(num_knots) + np.clip(dt * (num_knots / horizon), -num_knots, num_knots)
    first = _snapped(begin)
    share = np.maximum(begin - first, 0.0)  # of the piece that lies in the old spline's next one
    eye, last = np.eye(num_knots), num_knots - 1
    here, after = np.clip(first, 0, last).astype(np.intp), np.clip(first + 1, 0, last).astype(np.intp)
    return np.asarray(eye[here] * (1.0 - share)[:, None] + eye[after] * share[:, None])


def _snapped(place: Array) -> Array:
    """Round down, but take what rounding errors left just below a whole number as that number."""
    return np.floor(place + 1e-9)


@lru_cache(maxsize=32)
def _cubic(horizon: float, num_knots: int) -> CubicSpline:
    times = np.linspace(0.0, horizon, num_knots)
    none = np.zeros(num_knots)
    return CubicSpline(times, np.eye(num_knots), bc_type=((2, none), (1, none)))


def _check(horizon: float, num_knots: int, kind: str) -> None:
    if kind not in SPLINES:
        raise SettingsError(f"spline {kind!r} is unknown: one of {', '.join(SPLINES)}")
    if num_knots < 1:
        raise SettingsError(f"spline: {num_knots} knots are too few")
    if not (math.isfinite(horizon) and horizon > 0.0):
        raise SettingsError(f"spline: a horizon of {horizon} s is not possible")
