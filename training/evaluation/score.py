"""From samples to figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rollout import Array, Mask, Samples

MOVING = 0.1
"""m/s and rad/s together; a smaller command does not count as one."""
COMMAND_SETTLE, WALKING_SETTLE, TARGET_SETTLE = 1.0, 1.0, 2.0
"""s after a new command or target."""
END = 0.5
"""s at the end of a target that are averaged."""
STANDING_LEAST = 1.0
"""s without a command, beyond TARGET_SETTLE, from which on drift is measured."""
QUANTILES = 101


@dataclass(frozen=True)
class Figure:
    """How one figure is shown."""

    title: str
    digits: int


FIGURES = {
    "reward": Figure("reward/step", 4),
    "linear_error": Figure("linear error m/s", 3),
    "linear_error_settled": Figure("linear error after 1 s", 3),
    "yaw_error": Figure("yaw error rad/s", 3),
    "yaw_error_settled": Figure("yaw error after 1 s", 3),
    "drift_cm_s": Figure("drift cm/s", 2),
    "turn_deg_s": Figure("turn deg/s", 2),
    "ee_cm": Figure("EE settled cm", 2),
    "ee_cm_p90": Figure("p90 cm", 2),
    "ee_deg": Figure("EE settled deg", 1),
    "ee_deg_p90": Figure("p90 deg", 1),
    "ee_walk_cm": Figure("EE walking cm", 2),
    "ee_walk_deg": Figure("EE walking deg", 1),
    "ee_mean_cm": Figure("EE tracking cm", 2),
    "ee_mean_deg": Figure("EE tracking deg", 1),
    "ee_end_cm": Figure("EE at the end cm", 2),
    "ee_end_deg": Figure("EE at the end deg", 1),
    "success": Figure("success %", 1),
    "falls": Figure("falls % of 10 s", 2),
    "fallen": Figure("robots that fell %", 2),
    "power": Figure("power W", 0),
    "action_rate": Figure("action rate", 2),
}
"""All figures: mean over samples unless said below.

- `linear_error`, `yaw_error`: samples with a command, against what was asked for, not what the ramp told so far.
- `drift_cm_s`, `turn_deg_s`: net way per time without a command, from 2 s after the last one on.
- `ee_cm`, `ee_deg`: median 2 s and more after a new target.
- `ee_walk_*`: median with a command, 1 s and more after a new target.
- `ee_mean_*`: all samples; `ee_end_*`: median over the targets of their last 0.5 s.
- `success`: share of targets within the suite's tolerance at their end; where it has none, of robots that never fell.
- `falls`: per 100 episodes of 10 s.
- `reward` of a suite of phases: every phase counts as often as it is drawn on the average (`balanced_reward`).
"""


def score(samples: Samples, where: Mask | None = None) -> dict[str, float | None]:
    """Return all FIGURES; None where no sample says anything.

    Args:
        samples: of one policy and suite.
        where: samples that count, (T, N); None for all.
    """
    s = samples
    where = np.ones_like(s.fallen) if where is None else where
    upright, fallen = where & ~s.fallen, where & s.fallen
    moving = np.linalg.norm(s.command, axis=2) > MOVING
    walking, reaching = upright & s.walk & moving, upright & s.reach
    settled_command = walking & (s.since > COMMAND_SETTLE)
    settled, on_the_way = reaching & (s.since > TARGET_SETTLE), reaching & moving & (s.since > WALKING_SETTLE)
    linear = np.linalg.norm(s.velocity[..., :2] - s.command[..., :2], axis=2)
    yaw = np.abs(s.velocity[..., 2] - s.command[..., 2])
    cm, degrees = 100.0 * s.ee_error, np.degrees(s.ee_angle)
    ends = _Ends(s, where)
    drift, turn = _drift(s, where)
    episodes = where.sum() * s.period / 10.0
    return {
        "reward": _mean(s.reward[where]),
        "linear_error": _mean(linear[walking]),
        "linear_error_settled": _mean(linear[settled_command]),
        "yaw_error": _mean(yaw[walking]),
        "yaw_error_settled": _mean(yaw[settled_command]),
        "drift_cm_s": _mean(100.0 * drift),
        "turn_deg_s": _mean(np.degrees(turn)),
        "ee_cm": _percentile(cm[settled], 50),
        "ee_cm_p90": _percentile(cm[settled], 90),
        "ee_deg": _percentile(degrees[settled], 50),
        "ee_deg_p90": _percentile(degrees[settled], 90),
        "ee_walk_cm": _percentile(cm[on_the_way], 50),
        "ee_walk_deg": _percentile(degrees[on_the_way], 50),
        "ee_mean_cm": _mean(cm[reaching]),
        "ee_mean_deg": _mean(degrees[reaching]),
        "ee_end_cm": _percentile(100.0 * ends.error, 50),
        "ee_end_deg": _percentile(np.degrees(ends.angle), 50),
        "success": _mean(100.0 * ends.success),
        "falls": float(100.0 * fallen.sum() / episodes) if episodes else None,
        "fallen": _mean(100.0 * np.any(fallen, axis=0)[np.any(where, axis=0)]),
        "power": _mean(s.power[upright]),
        "action_rate": _mean(s.action_rate[upright]),
    }


def score_parts(samples: Samples) -> dict[str, dict[str, float | None]]:
    """Return the figures of each part by itself."""
    return {name: score(samples, samples.part == i) for i, name in enumerate(samples.parts)}


def balanced_reward(parts: Mapping[str, Mapping[str, float | None]], shares: Mapping[str, float]) -> float | None:
    """Return the mean reward with each part counted by its share, whatever part of the samples it had.

    A robot that falls makes all later draws of its run others. So two policies meet a little more or less of each
    phase, and phases pay differently: with 512 robots that alone moves the mean by half a percent.

    Args:
        parts: figures of each part.
        shares: how often each is drawn; parts without a sample are left out.
    """
    found = {name: reward for name in shares if (reward := parts[name]["reward"]) is not None}
    whole = sum(shares[name] for name in found)
    return sum(shares[name] * reward for name, reward in found.items()) / whole if found else None


def distributions(samples: Samples) -> dict[str, list[float]]:
    """Return quantiles 0 to 100 % of settled EE errors (cm, degrees) and of linear errors (m/s)."""
    s = samples
    moving = np.linalg.norm(s.command, axis=2) > MOVING
    settled = s.reach & ~s.fallen & (s.since > TARGET_SETTLE)
    linear = np.linalg.norm(s.velocity[..., :2] - s.command[..., :2], axis=2)
    found = {
        "ee_cm": 100.0 * s.ee_error[settled],
        "ee_deg": np.degrees(s.ee_angle[settled & ~np.isnan(s.ee_angle)]),
        "linear_error": linear[s.walk & moving & ~s.fallen],
    }
    levels = np.linspace(0.0, 100.0, QUANTILES)
    return {name: np.percentile(values, levels).tolist() for name, values in found.items() if values.size}


def usage(
    samples: Samples, experts: tuple[str, ...], groups: tuple[str, ...], where: Mask | None = None
) -> dict[str, Any]:
    """Return how the experts' weights are spread.

    Returns:
        `groups`: by group and expert `mean`, `std` and `largest` (share of the samples in which it has the largest
        weight), and the group's `entropy` (nats, mean); `use`: mean weight by expert over all groups.
    """
    where = np.ones_like(samples.fallen) if where is None else where
    weights = samples.weights[where]  # (samples, G, E)
    if not len(weights):
        return {}
    largest = weights.argmax(axis=2)
    entropy = -np.sum(weights * np.log(np.clip(weights, 1e-12, 1.0)), axis=2)
    by_group = {
        group: {
            "experts": {
                expert: {
                    "mean": float(weights[:, g, e].mean()),
                    "std": float(weights[:, g, e].std()),
                    "largest": float((largest[:, g] == e).mean()),
                }
                for e, expert in enumerate(experts)
            },
            "entropy": float(entropy[:, g].mean()),
        }
        for g, group in enumerate(groups)
    }
    return {"groups": by_group, "use": dict(zip(experts, weights.mean(axis=(0, 1)).tolist(), strict=True))}


def usage_parts(samples: Samples, experts: tuple[str, ...], groups: tuple[str, ...]) -> dict[str, Any]:
    """Return the usage in each part by itself."""
    return {name: usage(samples, experts, groups, samples.part == i) for i, name in enumerate(samples.parts)}


def _mean(values: NDArray) -> float | None:
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else None


def _percentile(values: NDArray, level: float) -> float | None:
    values = values[~np.isnan(values)]
    return float(np.percentile(values, level)) if values.size else None


def _stretches(s: Samples) -> Iterator[tuple[int, int, int]]:
    """Go through the stretches of one command and target: robot, first step, step after the last."""
    new = s.since < 1.5 * s.period
    new[0] = True
    for robot in range(new.shape[1]):
        starts = np.flatnonzero(new[:, robot])
        for start, stop in zip(starts, [*starts[1:], len(new)], strict=True):
            yield robot, int(start), int(stop)


class _Ends:
    """Errors at the ends of targets, and which of them are successes."""

    def __init__(self, s: Samples, where: Mask) -> None:
        last = max(1, round(END / s.period))
        errors, angles, good = [], [], []
        for robot, start, stop in _stretches(s):
            if not where[start:stop, robot].all() or not s.reach[start, robot]:
                continue
            end = slice(max(start, stop - last), stop)
            error, angle = s.ee_error[end, robot].mean(), s.ee_angle[end, robot].mean()
            fell = s.fallen[stop - 1, robot]
            if not fell:
                errors.append(error)
                angles.append(angle)
            limits = np.where(np.isnan(s.tolerance[robot]), np.inf, s.tolerance[robot])
            if np.isfinite(limits).any():
                good.append(not fell and error <= limits[0] and not angle > limits[1])
        free = np.isnan(s.tolerance).all(axis=1) & np.any(where, axis=0)
        stayed = ~np.any(s.fallen & where, axis=0)
        self.error, self.angle = np.array(errors), np.array(angles)
        self.success = np.concatenate([np.array(good, dtype=float), stayed[free].astype(float)])


def _drift(s: Samples, where: Mask) -> tuple[Array, Array]:
    """Return net speeds of robots without a command, m/s and rad/s, one per stretch."""
    skip, least = round(TARGET_SETTLE / s.period), round(STANDING_LEAST / s.period)
    speeds, turns = [], []
    for robot, start, stop in _stretches(s):
        first, last = start + skip, stop - 1
        standing = not s.command[start:stop, robot].any() and not s.fallen[start:stop, robot].any()
        if not standing or last - first < least or not where[start:stop, robot].all():
            continue
        duration = (last - first) * s.period
        way = s.place[last, robot] - s.place[first, robot]
        speeds.append(np.hypot(way[0], way[1]) / duration)
        turns.append(abs((way[2] + np.pi) % (2.0 * np.pi) - np.pi) / duration)
    return np.array(speeds), np.array(turns)
