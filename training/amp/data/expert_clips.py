"""Clips of a trained walking policy in the project's own simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, joint_array
from go2_piper_description.kinematics import ArmKinematics
from moe_controller.contract import VelocityLimits
from numpy.typing import NDArray

from ...envs.config import EnvConfig, Mode, Randomization
from ...envs.go2_piper_env import Go2PiperEnv
from ...envs.goals import BasePoses, Ids
from ...evaluation.layout import with_layout
from ...models.policy import Policy
from ..motion import Motion, MotionError
from ..steering import Steering, SteeringConfig

Array = NDArray[np.float64]
Tick = Callable[[float], None]

COMMANDS: dict[str, tuple[float, float]] = {
    "stand": (0.0, 0.0),
    **{f"walk_{vx:.2f}": (vx, 0.0) for vx in (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)},
    **{
        f"turn_{side}_{vx:.1f}_{wz:.2f}": (vx, sign * wz)
        for vx, wz in ((0.5, 0.6), (0.8, 0.4), (0.3, 0.8), (0.6, 0.25), (0.0, 0.8))
        for side, sign in (("left", 1.0), ("right", -1.0))
    },
}
"""vx (m/s) and wz (rad/s) of the clips."""


STEERING = SteeringConfig(turn=np.pi / 2)
"""Of the held-out clips."""


class _HomeGoals:
    """The end effector stays at home; commands come from the classes below."""

    def __init__(self, command: Array) -> None:
        self.command = command
        home = ArmKinematics().ee_transform(joint_array("stand")[ARM_SLICE])
        self._position, self._rotation = home[:3, 3], home[:3, :3]

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """New episodes begin: nothing changes."""

    def step(self, base: BasePoses) -> Ids:
        """Constant commands."""
        return np.zeros(0, dtype=np.int64)

    def targets(self, ahead: Array, base: BasePoses) -> tuple[Array, Array]:
        """Return the home pose for all robots and times."""
        shape = (len(self.command), len(ahead))
        return np.tile(self._position, (*shape, 1)), np.tile(self._rotation, (*shape, 1, 1))


class SteeringGoals(_HomeGoals):
    """Commands that turn the robots towards directions that change."""

    def __init__(self, count: int, period: float, config: SteeringConfig, rng: np.random.Generator) -> None:
        super().__init__(np.zeros((count, 3)))
        self.steering = Steering(config, count, period, rng)

    def reset(self, ids: Ids, base: BasePoses) -> None:
        """Draw targets about where the robots look."""
        heading = _heading(base)
        self.steering.begin(ids, heading[ids])
        self.command[:] = self.steering.command(heading)

    def step(self, base: BasePoses) -> Ids:
        """Draw new targets where it is time, and steer."""
        self.steering.step()
        self.command[:] = self.steering.command(_heading(base))
        return np.flatnonzero(self.steering.age == 0.0)


def _heading(base: BasePoses) -> Array:
    forward = base.base_rotation[:, :, 0]
    return np.arctan2(forward[:, 1], forward[:, 0])


def command_clips(
    policy: Policy, seconds: float = 6.2, warm_up: float = 2.0, seed: int = 1, tick: Tick = lambda done: None
) -> list[Motion]:
    """Return one clip per entry of COMMANDS.

    Args:
        policy: deterministic; drives all 18 joints, as the arm is part of its balance.
        seconds: of each clip.
        warm_up: s before it begins.
        seed: of the first poses.
        tick: is called with the part that is done, 0 to 1.

    Raises:
        EvaluationError: the policy does not suit the environment.
        MotionError: the robot fell.
    """
    commands = np.array([[vx, 0.0, wz] for vx, wz in COMMANDS.values()])
    env = environment(policy, len(commands), warm_up + seconds, seed)
    use(env, _HomeGoals(commands))
    return _record(policy, env, list(COMMANDS), warm_up, seconds, tick)


def steering_clips(
    policy: Policy,
    count: int = 8,
    seconds: float = 12.0,
    warm_up: float = 2.0,
    seed: int = 2,
    steering: SteeringConfig = STEERING,
    tick: Tick = lambda done: None,
) -> list[Motion]:
    """Return clips of the expert in the steering task, for thresholds that training must not see. As command_clips."""
    env = environment(policy, count, warm_up + seconds, seed)
    rng = np.random.default_rng([seed, 1])
    use(env, SteeringGoals(count, env.config.control_period, steering, rng))
    return _record(policy, env, [f"steering_{i:02d}" for i in range(count)], warm_up, seconds, tick)


def environment(policy: Policy, count: int, seconds: float, seed: int) -> Go2PiperEnv:
    """Return nominal robots in the layout that a policy reads, whose episodes outlast `seconds`."""
    config = EnvConfig(
        num_envs=count,
        modes={"walk": Mode(1.0)},
        randomization=Randomization.none(),
        episode_length=seconds + 1.0,
        velocity_limits=VelocityLimits(acceleration=(900.0, 900.0, 900.0)),  # AMP's steering has no ramp either
        seed=seed,
    )
    return Go2PiperEnv(with_layout(config, policy))


def use(env: Go2PiperEnv, goals: _HomeGoals) -> None:
    """Put goals into an environment and begin it anew."""
    env.goals = goals
    env.reseed(env.config.seed, 0)  # begins anew, so that the first observation shows these goals
    env.episode_length_buf[:] = 0


def _record(
    policy: Policy, env: Go2PiperEnv, names: Sequence[str], warm_up: float, seconds: float, tick: Tick
) -> list[Motion]:
    period = env.config.control_period
    skip, count = round(warm_up / period), round(seconds / period)
    qpos, qvel = [], []
    for step in range(skip + count):
        with torch.inference_mode():
            action = policy.act_inference(env.get_observations())
        _, _, done, _ = env.step(action)
        if done.any():
            fallen = [names[i] for i in np.flatnonzero(done.numpy()).tolist()]
            raise MotionError(f"{policy.name} falls in {', '.join(fallen)}: not a motion to learn from")
        if step >= skip:
            qpos.append(env.physics.qpos.copy())
            qvel.append(env.physics.qvel.copy())
        tick((step + 1) / (skip + count))
    positions, velocities = np.stack(qpos), np.stack(qvel)  # (T, N, ...)
    return [
        Motion(JOINT_NAMES, positions[:, i], velocities[:, i], (count,), (name,), 1.0 / period)
        for i, name in enumerate(names)
    ]
