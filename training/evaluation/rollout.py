"""Run a policy through a suite and keep what is needed for the figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from go2_piper_description.kinematics import ArmKinematics
from numpy.typing import NDArray

from ..envs.config import EnvConfig
from ..envs.go2_piper_env import Go2PiperEnv
from ..models.policy import Policy
from .goals import ApproachGoals, ScriptGoals, SuiteGoals, TimedGoals
from .layout import with_layout
from .settings import EvaluationError, Settings
from .suites import BOTH, Case, Suite, environment

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Samples:
    """What one policy did: arrays over control steps and robots, (T, N) unless said."""

    period: float
    """s per control step."""
    parts: tuple[str, ...]
    part: NDArray[np.int64]
    """Index in `parts`; all 0 without parts."""
    command: Array
    """vx, vy, wz asked for, (T, N, 3); the policy is told it no faster than `VelocityLimits.acceleration` lets it."""
    velocity: Array
    """The same as measured, (T, N, 3)."""
    place: Array
    """x, y (m) and yaw (rad) in the world, (T, N, 3)."""
    ee_error: Array
    """m"""
    ee_angle: Array
    """rad; nan where no orientation is wanted."""
    since: Array
    """s since the present command and target came."""
    walk: Mask
    """Whether the command counts."""
    reach: Mask
    """Whether the target counts."""
    fallen: Mask
    """In this step; velocity, place and ee_error are then those of the robot's next start."""
    reward: Array
    power: Array
    """W"""
    action_rate: Array
    """Squared change of the raw actions."""
    weights: Array
    """(T, N, G, E)"""
    tolerance: Array
    """Largest error at the end of a target that is a success, m and rad, (N, 2); nan: a robot that stays up is one."""

    @classmethod
    def joined(cls, several: list[Samples]) -> Samples:
        """Put rollouts of equal length side by side."""
        shared = ("period", "parts")
        arrays = {
            field.name: np.concatenate(
                [getattr(one, field.name) for one in several], axis=0 if field.name == "tolerance" else 1
            )
            for field in fields(cls)
            if field.name not in shared
        }
        return cls(period=several[0].period, parts=several[0].parts, **arrays)


def run_suite(
    policy: Policy, suite: Suite, settings: Settings, tick: Callable[[float], None] = lambda done: None
) -> Samples:
    """Run all cases of a suite.

    Args:
        policy: deterministic.
        suite: what to do.
        settings: seeds, size, robot.
        tick: is called with the part that is done, 0 to 1.

    Raises:
        EvaluationError: the policy gives numbers that are not finite, or needs another environment.
        ModelError: the robot model cannot be used.
    """
    count = len(suite.cases)
    several = []
    for i, case in enumerate(suite.cases):
        several.append(_run_case(policy, suite, case, i, settings, lambda done, i=i: tick((i + done) / count)))  # type: ignore[misc]
    return Samples.joined(several)


def case_config(policy: Policy, case: Case, settings: Settings, seconds: float) -> EnvConfig:
    """Return the environment of a case for one policy, with episodes that do not end by themselves."""
    sized = replace(
        case.config,
        num_envs=settings.envs,
        seed=settings.seed,
        num_threads=settings.threads,
        model=settings.plant_model,
        randomization=settings.robot(case),
        episode_length=seconds + 1.0,
    )
    return with_layout(sized, policy)


def _start(config: EnvConfig, goals: SuiteGoals | None) -> tuple[Go2PiperEnv, TimedGoals]:
    env = Go2PiperEnv(config, goals)
    timed = TimedGoals(env.goals, env.num_envs, config.control_period, pass_resets=goals is not None)
    env.goals = timed
    return env, timed


def _act(policy: Policy, env: Go2PiperEnv) -> tuple[torch.Tensor, Array]:
    with torch.inference_mode():
        outputs = policy.run(env.get_observations())
    if not torch.isfinite(outputs.action).all():
        raise EvaluationError(f"{policy.name} gives actions that are not finite")
    return outputs.action, outputs.weights.double().numpy()


def _run_case(
    policy: Policy, suite: Suite, case: Case, index: int, settings: Settings, tick: Callable[[float], None]
) -> Samples:
    seconds = settings.seconds or case.duration
    config = case_config(policy, case, settings, seconds)
    goals = case.goals(config, ArmKinematics()) if case.goals else None
    env, timed = _start(config, goals)
    steps, period, n = round(seconds / config.control_period), config.control_period, config.num_envs
    rows: list[dict[str, NDArray]] = []
    for step in range(steps):
        before = {
            "command": env.goals.command.copy(),
            "part": _part(suite, index, env, goals),
            "since": timed.since + period,
            "walk": env.flag("walk"),
            "reach": env.flag("reach"),
        }
        action, weights = _act(policy, env)
        _, reward, done, _ = env.step(action)
        error, angle = env.ee_error, env.ee_angle
        if isinstance(goals, ApproachGoals):
            error, angle = goals.errors(env, env.ee_position, env.ee_rotation)
        forward = env.base_rotation[:, :, 0]
        yaw = np.arctan2(forward[:, 1], forward[:, 0])
        rows.append(
            before
            | {
                "velocity": np.column_stack([env.base_linear_velocity[:, :2], env.base_angular_velocity[:, 2]]),
                "place": np.column_stack([env.base_position[:, :2], yaw]),
                "ee_error": error,
                "ee_angle": angle,
                "fallen": done.numpy().astype(bool),
                "reward": reward.numpy().astype(np.float64),
                "power": env.power,
                "action_rate": env.action_rate,
                "weights": weights,
            }
        )
        tick((step + 1) / steps)
    tolerance = [np.nan if t is None else t for t in (case.position_tolerance, case.angle_tolerance)]
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return Samples(period=period, parts=_part_names(suite, env, goals), tolerance=np.tile(tolerance, (n, 1)), **arrays)


def _part(suite: Suite, index: int, env: Go2PiperEnv, goals: SuiteGoals | None) -> NDArray[np.int64]:
    if suite.parts == "mode":
        return env.mode.copy()
    if suite.parts == "goals" and goals is not None:
        return goals.part.copy()
    return np.full(env.num_envs, index if suite.parts == "case" else 0)


def _part_names(suite: Suite, env: Go2PiperEnv, goals: SuiteGoals | None) -> tuple[str, ...]:
    if suite.parts == "mode":
        return tuple(env.mode_names)
    if suite.parts == "goals" and goals is not None:
        return goals.parts
    return tuple(case.name for case in suite.cases) if suite.parts == "case" else ()


@dataclass(frozen=True)
class Timeline:
    """Weights through the scripted sequence of phases."""

    times: Array
    """s, (T,)."""
    weights: Array
    """Mean over the robots, (T, G, E)."""
    phases: tuple[str, ...]
    phase: float
    """s of each."""


def run_script(policy: Policy, settings: Settings, phase: float = 3.0) -> Timeline:
    """Run at most 32 robots through walking, reaching, both and again. Errors as `run_suite`."""
    small = replace(settings, envs=min(settings.envs, 32), randomized=False)
    phase = phase if settings.seconds is None else settings.seconds / len(ScriptGoals.phases)
    seconds = phase * len(ScriptGoals.phases)
    config = case_config(policy, Case("script", environment({"both": BOTH})), small, seconds)
    env, _ = _start(config, ScriptGoals(config, ArmKinematics(), phase))
    means = []
    for _ in range(round(seconds / config.control_period)):
        action, weights = _act(policy, env)
        means.append(weights.mean(axis=0))
        env.step(action)
    times = config.control_period * np.arange(len(means), dtype=np.float64)
    return Timeline(times, np.array(means), ScriptGoals.phases, phase)
