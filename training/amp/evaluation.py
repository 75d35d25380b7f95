"""The policy without noise on the steering task: how well it steers, how often it falls, how it moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .config import AmpConfig
from .env import Disturbances, EpisodeConfig, SteeringEnv
from .motion import Motion
from .robot import RobotConfig
from .state import TrainState
from .stepper import make_stepper
from .update import Learner

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
SKIPPED = 1.0
"""s at the beginning that do not count: it starts from standing."""
SETTLED = 2.5
"""s after a change of the target from which on errors count as settled."""
RANDOMIZED = Disturbances(
    friction=(0.6, 1.4), mass=(-0.5, 1.5), delay=(0.02, 0.02), push_interval=5.0, push_velocity=0.3
)
"""The harder of the two evaluations."""


@dataclass(frozen=True)
class Record:
    """Episodes, one per robot; (T, N, ...)."""

    speed_error: Array
    """Speed along the target's direction minus target, m/s."""
    heading_error: Array
    """rad"""
    age: Array
    """s since the last change of the target."""
    alive: NDArray[np.bool_]
    """Not fallen so far."""
    transition: Floats
    """What the discriminator sees."""
    contacts: NDArray[np.bool_]
    action: Array
    period: float
    """s"""


@dataclass(frozen=True)
class Score:
    """Figures of a policy."""

    speed_error: float
    """m/s, mean, settled."""
    heading_error: float
    """degrees, mean, settled."""
    falls: float
    """Percent of the episodes."""
    style: float
    """Mean style reward without noise, by the run's own discriminator."""
    speed_error_all: float
    """m/s, turns included."""
    heading_error_all: float
    episodes: int

    @property
    def value(self) -> float:
        """One number to pick the best by, lower is better: each figure by its limit."""
        return self.speed_error / 0.05 + self.heading_error / 4.0 + self.falls + 1.0 - self.style


def record_episodes(env: SteeringEnv, act: Callable[[Floats], Array], steps: int) -> Record:
    """Let a policy act for so many control steps, shorter than the episodes.

    Args:
        env: at the beginning of its episodes.
        act: raw actions (N, A) for actor observations (N, D).
        steps: to record.
    """
    alive = np.ones(env.num_envs, dtype=bool)
    rows: dict[str, list[NDArray]] = {name: [] for name in Record.__dataclass_fields__ if name != "period"}
    for _ in range(steps):
        step = env.step(act(env.observation.actor))
        alive = alive & ~step.terminated
        speed, heading = env.steering.errors(env.state)
        values: tuple[NDArray, ...] = (
            speed,
            heading,
            env.steering.age.copy(),
            alive,
            step.transition,
            env.stepper.contacts(),
            env.last_action,
        )
        for name, value in zip(rows, values, strict=True):
            rows[name].append(value)
    return Record(**{name: np.stack(values) for name, values in rows.items()}, period=env.robot.control_period)


def score_of(record: Record, style: Callable[[Floats], Floats]) -> Score:
    """Return the figures of a record; `style` gives rewards (B,) for transitions (B, D)."""
    late = np.arange(len(record.age))[:, None] * record.period >= SKIPPED
    counted = record.alive & late
    settled = counted & (record.age > SETTLED)
    speed, heading = np.abs(record.speed_error), np.degrees(np.abs(record.heading_error))
    return Score(
        speed_error=_mean(speed, settled),
        heading_error=_mean(heading, settled),
        falls=100.0 * float(np.mean(~record.alive[-1])),
        style=float(np.mean(style(record.transition[counted]))) if counted.any() else 0.0,
        speed_error_all=_mean(speed, counted),
        heading_error_all=_mean(heading, counted),
        episodes=record.alive.shape[1],
    )


def _mean(values: Array, mask: NDArray[np.bool_]) -> float:
    """Return the mean where it counts; without a robot left, as bad as it gets."""
    return float(values[mask].mean()) if mask.any() else float(values.max(initial=180.0))


def steering_env(
    config: AmpConfig,
    robot: RobotConfig,
    count: int,
    seconds: float,
    seed: int,
    disturbances: Disturbances,
    motion: Motion | None = None,
) -> SteeringEnv:
    """Return an environment whose episodes start at home and last longer than what is recorded."""
    episodes = EpisodeConfig(seconds + 1.0, reference_start=0.0, home_spread=0.0)
    stepper = make_stepper(config.stepper, robot, count, config.threads)
    return SteeringEnv(robot, stepper, config.steering, disturbances, episodes, motion, seed)


def evaluate_policy(
    config: AmpConfig,
    robot: RobotConfig,
    learner: Learner,
    state: TrainState,
    count: int,
    seconds: float,
    seed: int,
    disturbances: Disturbances | None = None,
) -> Score:
    """Return the figures of a run's policy without noise, one episode per robot; nominal without `disturbances`."""
    env = steering_env(config, robot, count, seconds, seed, disturbances or Disturbances())
    record = record_episodes(env, policy_of(learner, state), round(seconds / robot.control_period))
    return score_of(record, style_of(learner, state))


def policy_of(learner: Learner, state: TrainState) -> Callable[[Floats], Array]:
    """Return the policy without noise."""
    norm = state.obs_norm.moments()
    return lambda obs: np.asarray(learner.mean_action(state.learner.policy, obs, norm), dtype=np.float64)


def style_of(learner: Learner, state: TrainState) -> Callable[[Floats], Floats]:
    """Return the style reward of transitions by the run's discriminator."""
    norm = state.disc_norm.moments()
    return lambda rows: np.asarray(learner.style(state.learner.disc, rows, norm))
