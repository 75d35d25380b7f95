"""How a walk begins and ends: slow commands out of a stand, and the way to a stop with and without the command's ramp.

The shipped policy in lockstep, without ROS, as in `stride_stops`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .stride_stops import STEP, Walk

Command = tuple[float, float, float]

SLOW: tuple[Command, ...] = (
    (0.1, 0.0, 0.0), (0.15, 0.0, 0.0), (0.2, 0.0, 0.0), (-0.15, 0.0, 0.0), (-0.2, 0.0, 0.0),
    (0.0, 0.15, 0.0), (0.0, 0.2, 0.0), (0.0, -0.15, 0.0), (0.0, -0.2, 0.0), (0.0, 0.0, 0.2), (0.0, 0.0, 0.3),
)  # fmt: skip
"""vx, vy in m/s, wz in rad/s."""
FAST = (0.5, 0.8, 1.0)
"""m/s forward."""
STANDS = 0.1
"""m/s, mean over 0.1 s; slower counts as stopped."""
AT_ONCE = (900.0, 900.0, 900.0)
_MEASURED, _PHASES = 800, 6


def run() -> Iterator[str]:
    """One line per command."""
    for command in SLOW:
        yield f"asked out of a stand for {command}: {_mean_velocity(command)}, mean of 4 s"
    for ramp in (True, False):
        for speed in FAST:
            way, time = _stops(speed, ramp)
            how = "by the ramp" if ramp else "told at once"
            yield f"stop out of {speed} m/s, {how}: {np.mean(way):.2f} m, at most {max(way):.2f}, {np.mean(time):.2f} s"


def _mean_velocity(command: Command) -> str:
    walk, rows = Walk.begin(command), []
    for _ in range(_MEASURED):
        state = walk.tick()
        assert state.base is not None
        rows.append([*state.base.linear_velocity[:2], state.angular_velocity[2]])
    return "(" + ", ".join(f"{value:.2f}" for value in np.mean(rows, axis=0)) + ")"


def _stops(speed: float, ramp: bool) -> tuple[list[float], list[float]]:
    """Return way (m) and time (s) from the command to stand until the robot does, in some phases of the stride."""
    walk, ways, times = Walk.begin((speed, 0.0, 0.0)), [], []
    if not ramp:
        contract = walk.controller.contract
        limits = replace(contract.velocity_limits, acceleration=AT_ONCE)
        walk.controller.contract = replace(contract, velocity_limits=limits)
    for phase in range(_PHASES):
        walk.velocity = (speed, 0.0, 0.0)
        for _ in range(400 + 20 * phase):
            walk.tick()
        walk.velocity = (0.0, 0.0, 0.0)
        places, speeds = [], []
        for _ in range(500):
            base = walk.tick().base
            assert base is not None
            places.append(base.position[:2].copy())
            speeds.append(np.linalg.norm(base.linear_velocity[:2]))
        moving = np.convolve(speeds, np.full(20, 0.05), "same") > STANDS
        last = int(np.flatnonzero(moving)[-1])
        ways.append(float(np.linalg.norm(places[last] - places[0])))
        times.append(last * STEP)
    return ways, times
