"""The training loop: rsl_rl's PPO on the environment, with progress, CSV, TensorBoard and resumable checkpoints."""

from __future__ import annotations

import contextlib
import copy
import io
import math
import signal
import statistics
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rsl_rl.algorithms import PPO
from rsl_rl.utils import resolve_callable
from tensordict import TensorDict

from .checkpoint import CheckpointError
from .nan_guard import NanGuard
from .run_log import RunLog
from .runner_config import RunnerConfig
from .structured import ConfigError
from .world import World, seed_everything


class TrainingEnv(Protocol):
    """What the loop needs of an environment, beside rsl_rl's interface. It lives on the CPU."""

    num_envs: int
    num_actions: int

    def get_observations(self) -> TensorDict:
        """Return the observation groups."""

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Advance; return observations, rewards (N,), dones (N,) and extras with `time_outs` and `log`."""

    def set_progress(self, fraction: float) -> None:
        """Tell the curricula how far the training is, 0 to 1."""

    def reseed(self, seed: int, iteration: int) -> None:
        """Start all environments anew from a generator seeded by both numbers."""


class Stopped(Exception):
    """SIGINT or SIGTERM came; the run is saved."""


class Runner:
    """Trains one actor and critic on one environment.

    Args:
        env: the environment; each process has its own.
        config: of the loop.
        folder: where checkpoints and logs go.
        seed: of the networks, the noise and the environments.
        device: of the learner; the environment stays on the CPU.
        world: the processes that train together; only the main one writes.

    Raises:
        ConfigError: settings that rsl_rl or the models refuse.
    """

    def __init__(
        self,
        env: TrainingEnv,
        config: RunnerConfig,
        folder: Path,
        *,
        seed: int = 1,
        device: str = "cpu",
        world: World | None = None,
    ) -> None:
        self.env, self.config, self.folder, self.device = env, config, folder, device
        self.world = world or World()
        self.seed = self.world.seed(seed)
        self.iteration = 0
        self.seconds = 0.0
        """Spent in training, all sessions together."""
        seed_everything(seed, 0)  # the same networks in every process
        self.algorithm = self._construct()
        self._split_optimizer()
        self.algorithm.train_mode()
        self._trainable = [parameter for parameter in self.algorithm.actor.parameters() if parameter.requires_grad]
        self._stop_asked = False
        folder.mkdir(parents=True, exist_ok=True)
        self._guard = NanGuard(folder, {"actor": self.algorithm.actor, "critic": self.algorithm.critic})

    def _construct(self) -> PPO:
        c = self.config
        # rsl_rl writes into the dictionaries and prints the models
        dictionary: dict[str, Any] = {
            "num_steps_per_env": c.num_steps_per_env,
            "obs_groups": dict(c.obs_groups),
            "actor": dict(c.actor),
            "critic": dict(c.critic),
            "algorithm": {**c.algorithm, "learning_rate": c.learning_rate[0], "schedule": "fixed"},
            "multi_gpu": self.world.rsl_rl,
        }
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                algorithm: type[PPO] = resolve_callable(c.algorithm["class_name"])
                obs = self.env.get_observations().to(self.device)
                return algorithm.construct_algorithm(obs, self.env, copy.deepcopy(dictionary), self.device)
        except CheckpointError:
            raise
        except (TypeError, ValueError, KeyError, ImportError, AttributeError) as error:
            raise ConfigError(f"runner: {str(error).splitlines()[0]}") from error

    def _split_optimizer(self) -> None:
        """Give the critic a learning rate of its own where the settings have one; rsl_rl has one for both."""
        if self.config.critic_learning_rate is None:
            return
        algorithm = self.algorithm
        groups = [{"params": list(model.parameters())} for model in (algorithm.actor, algorithm.critic)]
        algorithm.optimizer = type(algorithm.optimizer)(groups, lr=self.config.learning_rate[0])

    @property
    def checkpoint(self) -> Path:
        """The file that `save` writes and `resume` reads."""
        return self.folder / "checkpoint.pt"

    @property
    def frames(self) -> int:
        """Environment steps per iteration, of all processes."""
        return self.config.num_steps_per_env * self.env.num_envs * self.world.size

    def save(self) -> None:
        """Write the state of the run, replacing the older file only when the new one is whole."""
        state = {
            "iteration": self.iteration,
            "seconds": self.seconds,
            "actor": self.algorithm.actor.state_dict(),
            "critic": self.algorithm.critic.state_dict(),
            "optimizer": self.algorithm.optimizer.state_dict(),
        }
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)

    def resume(self) -> bool:
        """Continue from the checkpoint if there is one. Raises CheckpointError if it does not fit."""
        if not self.checkpoint.is_file():
            return False
        try:
            if not zipfile.is_zipfile(self.checkpoint):  # torch would warn at length about a bare pickle
                raise ValueError("not a checkpoint file")
            state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
            self.algorithm.actor.load_state_dict(state["actor"])
            self.algorithm.critic.load_state_dict(state["critic"])
            self.algorithm.optimizer.load_state_dict(state["optimizer"])
            self.iteration, self.seconds = int(state["iteration"]), float(state["seconds"])
        except Exception as error:  # torch raises many kinds for a bad file; all mean the same to the user
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{self.checkpoint} does not fit this run ({reason}): fresh=true starts over"
            ) from error
        return True

    def train(self, iterations: int) -> None:
        """Train until `iterations` in all are done.

        Raises:
            TrainingDiverged: numbers that are not finite; a dump lies in the folder.
            Stopped: SIGINT or SIGTERM; the iteration was finished and saved.
        """
        if self.world.size > 1:
            self.algorithm.broadcast_parameters()
        log = RunLog(self.folder, self.iteration) if self.world.is_main else None
        first = self.iteration
        obs = self.env.get_observations().to(self.device)
        with self._signals(), self._progress(iterations) as progress:
            while self.iteration < iterations:
                start = time.perf_counter()
                self._follow_schedules(self.iteration / iterations)
                if self.iteration == first or self.iteration % self.config.save_every == 0:
                    obs = self._start_anew()
                row, obs = self._iterate(obs)
                self.iteration += 1
                seconds = time.perf_counter() - start
                self.seconds += seconds
                stop = self.world.any(self._stop_asked, self.device)
                if log is not None:
                    row |= {"steps_per_second": self.frames / seconds, "seconds": self.seconds}
                    log.write({"iteration": float(self.iteration), "steps": float(self.iteration * self.frames), **row})
                    progress(self.iteration, row)
                    if stop or self.iteration % self.config.save_every == 0 or self.iteration == iterations:
                        self.save()
                if stop and self.iteration < iterations:
                    raise Stopped(f"stopped and saved at iteration {self.iteration} of {iterations}")
        if log is not None:
            log.close()

    def _follow_schedules(self, progress: float) -> None:
        first, last = self.config.learning_rate
        actor_group, *critic_groups = self.algorithm.optimizer.param_groups
        actor_group["lr"] = first + (last - first) * progress
        for group in critic_groups:
            group["lr"] = self.config.critic_learning_rate
        if self.config.std is not None:
            low, high = (math.log(value) for value in self.config.std)
            self.algorithm.actor.distribution.log_std_param.data.fill_(low + (high - low) * progress)
        for parameter in self._trainable:
            parameter.requires_grad_(self.iteration >= self.config.critic_warm_up)
        self.env.set_progress(progress)

    def _start_anew(self) -> TensorDict:
        seed_everything(self.seed, self.iteration)
        self.env.reseed(self.seed, self.iteration)
        return self.env.get_observations().to(self.device)

    def _iterate(self, obs: TensorDict) -> tuple[dict[str, float], TensorDict]:
        """Roll out and update once; return the figures and the newest observations."""
        algorithm, steps = self.algorithm, self.config.num_steps_per_env
        reward_mean, logs = 0.0, []
        with torch.inference_mode():
            for _ in range(steps):
                actions = algorithm.act(obs)
                self._guard.check_actions(obs, actions, self.iteration)
                obs, reward, done, extras = self.env.step(actions.to("cpu"))
                self._guard.check_step(obs, actions, reward, self.iteration)
                obs = obs.to(self.device)
                algorithm.process_env_step(obs, reward.to(self.device), done.to(self.device), extras)
                reward_mean += reward.mean().item() / steps
                logs.append(extras["log"])
            algorithm.compute_returns(obs)
        losses = algorithm.update()
        self._guard.check_update(losses, self.iteration)
        keys = sorted({key for log in logs for key in log})
        means = {key.strip("/"): statistics.fmean(log[key] for log in logs if key in log) for key in keys}
        std = algorithm.actor.output_std.mean().item()
        return {"reward": reward_mean, **means, "std": std, **losses}, obs

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Let the first SIGINT or SIGTERM end the run after the iteration; a second one interrupts at once."""

        def ask(number: int, frame: object) -> None:
            if self._stop_asked:
                raise KeyboardInterrupt
            self._stop_asked = True

        self._stop_asked = False
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def _progress(self, iterations: int) -> Iterator[Any]:
        """Show a bar on a terminal, and a line per checkpoint where the output goes to a file."""
        console = Console(quiet=not self.world.is_main)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task(self.folder.name, total=iterations, completed=self.iteration)

            def show(iteration: int, row: dict[str, float]) -> None:
                headline = f"{iteration * self.frames / 1e6:.2f}M {_headline(row)}"
                bar.update(task, completed=iteration, description=headline)
                if not console.is_terminal and iteration % self.config.save_every == 0:
                    console.print(f"{iteration}/{iterations} {headline}", highlight=False, soft_wrap=True)

            yield show


def _headline(row: dict[str, float]) -> str:
    names = ("reward", "linear_error", "yaw_error", "ee_error", "std", "steps_per_second")
    return " ".join(f"{name} {row[name]:.3g}" for name in names if name in row)
