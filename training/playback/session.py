"""One playing session: from options to a rollout and its files."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from go2_piper_description.kinematics import ArmKinematics
from moe_controller.approach import ApproachRule
from rich.console import Console
from sim_bridge.gl import RenderError

from ..envs.config import EnvConfig, Mode, Randomization
from ..envs.go2_piper_env import Go2PiperEnv
from ..envs.trajectory_goals import TrajectoryGoals
from ..evaluation.layout import with_layout
from ..models.policy import Policy
from ..trajectories import PoseSequence, generate, load_trajectories
from .errors import PlayError
from .live import WeightPrinter, Window, can_show, together
from .mobile_goals import MobileGoals
from .plots import OVER_TASK, OVER_TIME, plot_over_task, plot_over_time
from .report import task_table, weight_table
from .results import RESULTS, WEIGHTS, write_results, write_weight_statistics
from .rollout import Rollout, Watch, roll_out
from .statistics import task_figures, weight_statistics
from .video import VIDEO, write_video
from .zarr_log import LOGS, write_log

LEAD = 1.5
"""s that the hand has to get to where a trajectory begins."""
MOST_STEPS = 100_000
MOST_ENVS = 4096


@dataclass(frozen=True)
class Look:
    """What to show while it plays and what to leave behind. Raises PlayError."""

    out: Path
    show_weights: bool = False
    visualize: bool = False
    record: bool = False
    arrays: bool = True
    """Write the results as npz and zarr, too."""


def default_out() -> Path:
    """Return a folder of its own for a session that begins now."""
    return Path("runs/play") / datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


def play_trajectories(
    policy: Policy,
    file: Path | None,
    num_envs: int,
    num_steps: int | None,
    seed: int,
    look: Look,
    console: Console | None = None,
) -> Rollout:
    """Let the nominal robot follow trajectories.

    Args:
        policy: to play.
        file: of the trajectories; None for random ones.
        num_envs: robots, one trajectory each, in turn.
        num_steps: control steps; None for as long as the longest trajectory takes.
        seed: of the robots' first poses and of random trajectories.
        look: what to show and to write.
        console: to print to; None for the terminal.

    Raises:
        TrajectoryError, PlayError, EvaluationError: one line.
    """
    config = EnvConfig(
        num_envs=num_envs,
        seed=seed,
        modes={"track": Mode(1.0, walk=True, reach=True)},
        randomization=Randomization.none(),
    )
    _check_sizes(num_envs, num_steps)
    sequences = load_trajectories(file) if file is not None else generate("random", num_envs, seed, duration=10.0)
    if num_steps is None:
        num_steps = round((LEAD + max(sequence.duration for sequence in sequences)) / config.control_period) + 1
    return play(policy, build_env(policy, config, num_steps, sequences), num_steps, look, console)


def _check_sizes(num_envs: int, num_steps: int | None) -> None:
    for name, value, most in (("num_envs", num_envs, MOST_ENVS), ("num_steps", num_steps, MOST_STEPS)):
        if value is not None and not 1 <= value <= most:
            raise PlayError(f"{name} is {value}, it must be 1 to {most}")


def build_env(
    policy: Policy, config: EnvConfig, num_steps: int, sequences: Sequence[PoseSequence] | None = None
) -> Go2PiperEnv:
    """Return the environment for a policy.

    Args:
        policy: decides observation and action scale.
        config: all other numbers.
        num_steps: that will be played; episodes do not end before.
        sequences: to follow, fixed in the world where the robots stand at the start: robot i follows sequence i, modulo
            their number, and walks where the arm does not reach. None for the random goals of the configuration.

    Raises:
        PlayError, EvaluationError, ModelError: one line.
    """
    _check_sizes(config.num_envs, num_steps)
    period = config.control_period
    targets = replace(config.targets, trajectory_file="")
    config = with_layout(replace(config, episode_length=(num_steps + 1) * period, targets=targets), policy)
    if sequences is None:
        return Go2PiperEnv(config)
    rule = ApproachRule(ArmKinematics().shoulder, config.targets.region, config.velocity_limits)
    poses = TrajectoryGoals(sequences, config.num_envs, period, lead=LEAD)
    return Go2PiperEnv(config, MobileGoals(poses, config.num_envs, rule))


def play(policy: Policy, env: Go2PiperEnv, num_steps: int, look: Look, console: Console | None = None) -> Rollout:
    """Play, show, and write the files into `look.out`.

    Args:
        policy: fits the environment, see `build_env`.
        env: fresh.
        num_steps: control steps.
        look: what to show and to write.
        console: to print to; None for the terminal.

    Raises:
        PlayError: the policy fails, or files cannot be written.
    """
    console = console or Console()
    try:
        look.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlayError(f"{look.out}: cannot be made: {error.strerror}") from None
    with ExitStack() as stack:
        watches: list[Watch] = []
        if look.show_weights:
            watches.append(WeightPrinter(policy, env.config.control_period, console))
        if look.visualize and can_show():
            watches.append(stack.enter_context(Window(env)))
        elif look.visualize:
            console.print("no display here, so no window; --record makes a film instead", highlight=False)
        rollout = roll_out(policy, env, num_steps, together(watches))
    try:
        _write(rollout, look, console)
    except OSError as error:
        raise PlayError(f"{look.out}: cannot be written: {error.strerror or error}") from None
    return rollout


def _write(rollout: Rollout, look: Look, console: Console) -> None:
    statistics = weight_statistics(rollout)
    robots = rollout.steps.reward.shape[1]
    title = f"{rollout.policy}, {robots} robot{'s' if robots > 1 else ''}"
    console.print(task_table(task_figures(rollout), title))
    console.print(weight_table(rollout, statistics))
    plot_over_time(rollout, look.out / OVER_TIME)
    plot_over_task(rollout, look.out / OVER_TASK)
    if look.arrays:
        write_results(rollout, look.out / RESULTS)
        write_weight_statistics(rollout, statistics, look.out / WEIGHTS)
        write_log(rollout, look.out / LOGS)
    if look.record:
        try:
            write_video(rollout, look.out / VIDEO)
        except RenderError as error:
            console.print(f"no film: {error}", highlight=False, soft_wrap=True)
    console.print(f"files in {look.out}", highlight=False, soft_wrap=True)
