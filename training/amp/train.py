"""The training loop: rollout, rewards, update, normalisers, replay buffer, logs, checkpoints."""

from __future__ import annotations

import dataclasses
import math
import signal
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ..run_log import RunLog
from .config import AmpConfig
from .env import SteeringEnv
from .evaluation import Score, evaluate_policy
from .expert import expert_data
from .features import build_disc_obs_spec
from .robot import robot_config
from .rollout import Groups
from .state import (
    BEST,
    LATEST,
    CheckpointError,
    Sizes,
    TrainState,
    differences,
    new_state,
    read_checkpoint,
    restore,
    save_state,
)
from .stepper import make_stepper
from .update import Batch, Metrics, Moving, make_learner

NAN_DUMP = "nan_dump.npz"
EVALUATED = tuple(f"eval/{field.name}" for field in dataclasses.fields(Score))
HINT = "look at the dump, run with --debug_nans, and lower schedule.learning_rate"


class TrainingDiverged(RuntimeError):
    """Numbers that are not finite; one line."""


class _NotFinite(ValueError):
    """Actions that must not reach the simulator; raised in a group's thread, dumped by the trainer's alone."""

    def __init__(self, arrays: dict[str, NDArray]) -> None:
        super().__init__("actions that are not finite")
        self.arrays = arrays


class AmpTrainer:
    """A run of AMP + PPO.

    Args:
        config: all settings.
        folder: of the run; the caller keeps others out of it (`run_folder.hold`).
        source: clips, a motion file or a folder of them.
        seed: of everything drawn.

    Raises:
        ConfigError, MotionError: one line.
    """

    def __init__(self, config: AmpConfig, folder: Path, source: Path, seed: int) -> None:
        self.config, self.folder, self.seed = config, folder, seed
        folder.mkdir(parents=True, exist_ok=True)
        self.robot = robot = robot_config(config.env_id)
        motion, expert, self.cached = expert_data(folder, robot, source)
        self.clips = motion
        self._expert = jnp.asarray(expert)
        self._expert_rows = expert
        self.groups = self._make_groups()
        env = self.groups.envs[0]
        self.sizes = Sizes(
            env.observation.actor.shape[1],
            env.observation.critic.shape[1],
            build_disc_obs_spec(robot).size,
            env.num_actions,
        )
        self.learner = make_learner(config.learner, env.num_actions)
        self.state: TrainState = new_state(config, self.learner, self.sizes, seed)
        self._stop_asked = False
        self._score: Score | None = None

    def _make_groups(self) -> Groups:
        config, envs = self.config, []
        groups = config.groups if config.stepper == "mujoco" else 1  # MJX steps all robots at once
        for group, robots in enumerate(np.array_split(np.arange(config.num_envs), groups)):
            stepper = make_stepper(config.stepper, self.robot, len(robots), 1)
            envs.append(
                SteeringEnv(
                    self.robot, stepper, config.steering, config.disturbances, config.episodes, self.clips,
                    (self.seed, group),
                )
            )  # fmt: skip
        return Groups(envs)

    # -- files ---------------------------------------------------------------------------------------------------------

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint. Raises CheckpointError if it is of another configuration or seed."""
        saved = read_checkpoint(path)
        changed = differences(self.config, saved.config)
        if changed or saved.seed != self.seed:
            what = ", ".join([*changed, *(["seed"] if saved.seed != self.seed else [])])
            raise CheckpointError(f"{path} is of another configuration ({what}): give the same, or start a new run")
        restore(self.state, saved, path, whole=True)

    def save(self) -> None:
        """Write the resumable checkpoint."""
        save_state(self.folder / LATEST, self.state, self.config, self.sizes, self.seed, whole=True)

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run(self, console: Console | None = None) -> dict[str, Any]:
        """Train to the end, or until SIGINT or SIGTERM; return the summary."""
        console = console or Console()
        config, progress = self.config, self.state.progress
        (self.folder / "config.yaml").write_text(yaml.safe_dump(_plain(dataclasses.asdict(config)), sort_keys=False))
        log = RunLog(self.folder, progress.iteration)
        previous = {s: signal.signal(s, self._ask_to_stop) for s in (signal.SIGINT, signal.SIGTERM)}
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"))
        try:
            with Progress(*columns, TimeRemainingColumn(), console=console) as display:
                task = display.add_task("AMP + PPO", total=config.iterations, completed=progress.iteration, figures="")
                while progress.iteration < config.iterations and not self._stop_asked:
                    row = self.iterate()
                    log.write(row)
                    figures = (
                        f"task {row['task_reward']:.2f}  style {row['style_reward']:.2f}  falls {row['falls']:.1f}"
                    )
                    display.update(task, completed=progress.iteration, figures=figures)
                # an interrupted run goes on from the last checkpoint: only there do episodes start anew
                if progress.iteration >= config.iterations:
                    self.save()
                    self._evaluate()
        finally:
            log.close()
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self.summary()

    def summary(self) -> dict[str, Any]:
        """Return what to say at the end."""
        progress = self.state.progress
        return {
            "iterations": progress.iteration,
            "million_steps": round(progress.iteration * self.config.frames / 1e6, 3),
            "stopped": self._stop_asked and progress.iteration < self.config.iterations,
            "seconds": round(progress.seconds, 1),
            "best": None if self._score is None else dataclasses.asdict(self._score),
            "folder": str(self.folder),
        }

    def iterate(self) -> dict[str, float]:
        """Do one iteration; return the row of the log. Raises TrainingDiverged."""
        config, progress = self.config, self.state.progress
        started = time.perf_counter()
        if progress.iteration % config.save_interval == 0:
            if progress.iteration > 0:
                self.save()
            self.groups.reseed(self.seed, progress.iteration)
        millions = progress.iteration * config.frames / 1e6
        key = jax.random.fold_in(jax.random.key(self.seed), progress.iteration)
        batch, falls = self._rollout()
        simulated = time.perf_counter()
        running = self._update(batch, key, millions)
        self._remember(batch)  # meanwhile
        metrics: Metrics = jax.tree.map(np.asarray, running)
        progress.learning_rate = config.schedule.next_rate(progress.learning_rate, float(metrics.ppo.kl))
        progress.iteration += 1
        ended = time.perf_counter()
        progress.seconds += ended - started
        row = self._row(metrics, falls, config.frames / (ended - started))
        row["rollout_share"] = (simulated - started) / (ended - started)
        if not all(np.isfinite(value) for value in row.values()):
            raise self._diverged("the update", batch)
        due = progress.iteration % config.evaluate_interval == 0 and progress.iteration < config.iterations
        return row | (self._evaluate() if due else dict.fromkeys(EVALUATED, math.nan))

    def _rollout(self) -> tuple[dict[str, NDArray], float]:
        """Let the policy act with noise; return what happened, (T, N, ...), and falls per 100 episodes of 10 s."""
        config = self.config
        self._norms = norms = self.state.norms()
        policy = self.state.learner.policy
        rng = np.random.default_rng([self.seed, self.state.progress.iteration, 0])
        noise = [
            rng.standard_normal((config.num_steps, env.num_envs, env.num_actions), dtype=np.float32)
            for env in self.groups.envs
        ]

        def act(group: int, step: int, obs: NDArray[np.float32]) -> NDArray[np.float32]:
            action = self.learner.act(policy, obs, norms.obs, noise[group][step])
            if not np.isfinite(action).all():
                raise _NotFinite({"obs": obs, "action": action})
            return action

        try:
            batch = self.groups.collect(act, config.num_steps)
        except _NotFinite as error:
            raise self._diverged("the policy's actions", error.arrays) from None
        if not all(np.isfinite(value).all() for value in batch.values()):
            raise self._diverged("the simulation", batch)
        seconds = config.frames * self.robot.control_period
        return batch, 1000.0 * float(batch["terminated"].sum()) / seconds

    def _update(self, batch: dict[str, NDArray], key: jax.Array, millions: float) -> Metrics:
        """Start an update and return its metrics to be; JAX computes in threads of its own."""
        config, state = self.config, self.state
        rng = np.random.default_rng([self.seed, state.progress.iteration, 1])
        transitions = batch["transition"].reshape(-1, self.sizes.disc)
        old = state.replay.sample(rng, config.replay_sampled) if len(state.replay) else transitions
        rows = rng.integers(len(old), size=config.replay_sampled)
        moving = Moving(
            jnp.float32(state.progress.learning_rate),
            jnp.float32(config.schedule.entropy_weight(millions)),
            jnp.float32(np.log(config.schedule.cap(millions))),
            jnp.float32(config.task_weight),
            jnp.float32(config.disc_weight * config.schedule.style_factor(millions)),
        )
        state.learner, metrics = self.learner.update(
            state.learner,
            Batch(**jax.tree.map(jnp.asarray, batch)),
            self._expert,
            old[rows],
            self.learner.minibatches(rng, len(transitions)),
            key,
            moving,
            self._norms,
        )
        return metrics

    def _remember(self, batch: dict[str, NDArray]) -> None:
        """Feed normalisers and replay buffer; the update has been given those that the rollout was made with."""
        config, state = self.config, self.state
        transitions = batch["transition"].reshape(-1, self.sizes.disc)
        rng = np.random.default_rng([self.seed, state.progress.iteration, 2])
        if not state.obs_norm.frozen:
            state.obs_norm.update(batch["obs"])
            state.critic_norm.update(batch["critic_obs"])
        if not state.disc_norm.frozen:
            count = len(transitions) // 2
            state.disc_norm.update(transitions[rng.permutation(len(transitions))[:count]])
            state.disc_norm.update(self._expert_rows[rng.integers(len(self._expert_rows), size=count)])
        chosen = rng.integers(len(transitions), size=min(config.replay_added, len(transitions)))
        state.replay.add(transitions[chosen])

    def _row(self, metrics: Metrics, falls: float, speed: float) -> dict[str, float]:
        progress = self.state.progress
        ppo, disc = metrics.ppo, metrics.disc
        return {
            "iteration": float(progress.iteration),
            "steps": float(progress.iteration * self.config.frames),
            "task_reward": float(metrics.task_reward),
            "style_reward": float(metrics.style_reward),
            "falls": falls,
            "std": float(np.exp(np.asarray(self.state.learner.policy.log_std)).mean()),
            "learning_rate": progress.learning_rate,
            **{f"ppo/{name}": float(getattr(ppo, name)) for name in ppo._fields},
            **{f"disc/{name}": float(getattr(disc, name)) for name in disc._fields},
            "steps_per_second": speed,
        }

    def _evaluate(self) -> dict[str, float]:
        """Judge the policy without noise on the nominal robot; keep it if it is the best so far."""
        score = evaluate_policy(
            self.config, self.robot, self.learner, self.state, self.config.evaluate_envs, seconds=10.0, seed=7
        )
        if score.value < self.state.progress.best:
            self.state.progress.best = score.value
            self._score = score
            save_state(self.folder / BEST, self.state, self.config, self.sizes, self.seed, whole=False)
        name = f"amp_ppo_jax_{self.state.progress.iteration:06d}.safetensors"
        save_state(self.folder / name, self.state, self.config, self.sizes, self.seed, whole=False)
        return {f"eval/{key}": float(value) for key, value in dataclasses.asdict(score).items()}

    def _diverged(self, what: str, arrays: dict[str, NDArray]) -> TrainingDiverged:
        path = self.folder / NAN_DUMP
        np.savez_compressed(path, iteration=np.array(self.state.progress.iteration), **arrays)  # type: ignore[arg-type]
        return TrainingDiverged(
            f"numbers that are not finite in {what} at iteration {self.state.progress.iteration}; "
            f"dump in {path}; {HINT}"
        )

    def _ask_to_stop(self, *_: object) -> None:
        self._stop_asked = True


def _plain(value: Any) -> Any:
    """Return the value with lists for tuples, as YAML has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
