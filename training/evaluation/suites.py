"""What policies are evaluated on: suites of cases, each an environment with its commands and targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from go2_piper_description.kinematics import ArmKinematics

from ..envs.config import EnvConfig, Mode, Randomization, Targets
from ..trajectories import PoseSequence, generate
from .goals import ApproachGoals, ReachGoals, SequenceGoals, SuiteGoals

MakeGoals = Callable[[EnvConfig, ArmKinematics], SuiteGoals]

TIMESTEP = 0.005
"""s of physics per step: finer than in training, where 10 ms are."""


@dataclass(frozen=True)
class Case:
    """One rollout of a suite, one episode in every environment."""

    name: str
    config: EnvConfig
    """Without size, seed, randomisation and observation, which the evaluation sets."""
    goals: MakeGoals | None = None
    """Own source of goals; None for random ones as the modes say."""
    duration: float = 10.0
    """s"""
    position_tolerance: float | None = None
    """m at the end of a target that counts as success; None: an episode without a fall does."""
    angle_tolerance: float | None = None
    """rad"""
    push: tuple[float, float] | None = None
    """s between kicks and the largest one, m/s; None: none, or those of the training where that is asked for."""
    payload: float | None = None
    """kg in the gripper; None as `push`."""


@dataclass(frozen=True)
class Suite:
    """Cases whose samples are pooled; parts get figures of their own as well."""

    name: str
    title: str
    cases: tuple[Case, ...]
    parts: Literal["", "case", "mode", "goals"] = ""
    """What tells the parts apart."""


REACH = Mode(1.0, walk=False, reach=True, stand=True, zero_command=1.0)
WALK = Mode(1.0, walk=True, arm_neutral=True, zero_command=0.15, home_target=1.0)
BOTH = Mode(1.0, walk=True, reach=True, zero_command=0.1)
# nearly the modes of combo_go2Piper_combined.yaml, but on its own: a suite stays as it is when the training changes
PHASES = {
    "walk_only": Mode(0.3, walk=True, arm_neutral=True, home_target=1.0, zero_command=0.0),
    "reach_only": Mode(0.3, walk=False, reach=True, stand=True, zero_command=1.0),
    "both": Mode(0.4, walk=True, reach=True, zero_command=0.1),
}


def environment(modes: dict[str, Mode], **changes: object) -> EnvConfig:
    """Return the nominal robot at the fine time step, with targets that jump."""
    config = EnvConfig(
        modes=modes,
        randomization=Randomization.none(),
        targets=Targets(glide_probability=0.0),
        physics_timestep=TIMESTEP,
        slow_commands=0.3,
    )
    return replace(config, **changes)  # type: ignore[arg-type]


@cache
def _sequences(seed: int, count: int, duration: float = 8.0) -> dict[str, list[PoseSequence]]:
    return {kind: generate(kind, count, seed, duration=duration) for kind in ("random", "pushing", "tossing")}


def _sequence_goals(config: EnvConfig, arm: ArmKinematics) -> SuiteGoals:
    count = min(32, -(-config.num_envs // 3))
    return SequenceGoals(config, arm, _sequences(config.seed, count))


_STANDING = Case("reach", environment({"reach": REACH}), ReachGoals, position_tolerance=0.03, angle_tolerance=0.175)
_COMBINED = Case("combined", environment({"both": BOTH}))
_TRAINING = Randomization()


def _disturbed(case: Case, payload: float) -> Case:
    return replace(case, name=f"{case.name} {payload:g} kg", push=(2.0, 0.6), payload=payload)


_ALL = (
    Suite("S1", "standing reach: position and orientation, no command", (_STANDING,), "goals"),
    Suite("S2", "velocity commands, the arm at home", (Case("walk", environment({"walk": WALK})),)),
    Suite(
        "S3",
        "mobile reach: targets 1 to 3 m away, approached by the controller's rule",
        (Case("mobile", environment({"both": BOTH}), ApproachGoals, duration=20.0, position_tolerance=0.05),),
        "goals",
    ),
    Suite(
        "S4",
        "end-effector trajectories that stand in the world",
        (Case("track", environment({"reach": REACH}), _sequence_goals, position_tolerance=0.05),),
        "goals",
    ),
    Suite("S5", "random velocity command and random end-effector target at once", (_COMBINED,)),
    Suite(
        "S6",
        "S1 and S5 under pushes (up to 0.6 m/s every 2 s) and payloads in the gripper",
        tuple(_disturbed(case, payload) for case in (_STANDING, _COMBINED) for payload in (0.0, 0.5, 1.0)),
        "case",
    ),
    Suite(
        "S7",
        "phases of walking only, reaching only and both, with the pushes of the training",
        (
            Case(
                "phases",
                environment(PHASES, phases=True),
                push=(_TRAINING.push_interval, _TRAINING.push_velocity),
            ),
        ),
        "mode",
    ),
)  # fmt: skip
SUITES = {suite.name: suite for suite in _ALL}
