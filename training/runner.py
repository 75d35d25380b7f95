"""The training loop: rsl_rl's PPO on the environment, with progress, CSV, TensorBoard and resumable checkpoints."""

from __future__ import annotations

import copy
import csv
import time
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rsl_rl.algorithms import PPO
from rsl_rl.utils import resolve_callable
from torch.utils.tensorboard import SummaryWriter

from .envs.go2_piper_env import Go2PiperEnv
from .models.expert import CheckpointError


class Runner:
    """Trains one actor and critic on one environment.

    Args:
        env: the environment.
        config: rsl_rl's dictionary (`actor`, `critic`, `algorithm`, `obs_groups`, `num_steps_per_env`) plus
            `learning_rate` (start, end: linear over the run) and `critic_warm_up` (iterations with a frozen actor,
            so that an untrained critic does not wreck a trained one).
        folder: where checkpoints and logs go.
    """

    def __init__(self, env: Go2PiperEnv, config: dict[str, Any], folder: Path) -> None:
        self.env, self.config, self.folder = env, config, folder
        cfg = copy.deepcopy(config)  # rsl_rl writes into it
        cfg["multi_gpu"] = None
        algorithm: type[PPO] = resolve_callable(cfg["algorithm"]["class_name"])
        self.algorithm = algorithm.construct_algorithm(env.get_observations(), env, cfg, "cpu")
        self.iteration = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        """The file that `save` writes and `resume` reads."""
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Write the state of the run, replacing the older file only when the new one is whole."""
        state = {
            "iteration": self.iteration,
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
            state = torch.load(self.checkpoint, weights_only=True)
            self.algorithm.actor.load_state_dict(state["actor"])
            self.algorithm.critic.load_state_dict(state["critic"])
            self.algorithm.optimizer.load_state_dict(state["optimizer"])
            self.iteration = state["iteration"]
        except Exception as error:  # torch raises many kinds for a bad file; all mean the same to the user
            reason = str(error).splitlines()[0]
            raise CheckpointError(
                f"{self.checkpoint} does not fit this run ({reason}): remove it or change --out"
            ) from error
        return True

    def train(self, iterations: int, save_every: int = 25) -> None:
        """Train until `iterations` in all are done."""
        algorithm, env = self.algorithm, self.env
        steps = self.config["num_steps_per_env"]
        trainable = [parameter for parameter in algorithm.actor.parameters() if parameter.requires_grad]
        obs = env.get_observations()
        algorithm.train_mode()
        writer = SummaryWriter(str(self.folder))
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns) as progress:
            task = progress.add_task(self.folder.name, total=iterations, completed=self.iteration)
            while self.iteration < iterations:
                start = time.perf_counter()
                self._set_learning_rate(self.iteration / iterations)
                warming_up = self.iteration < self.config.get("critic_warm_up", 0)
                for parameter in trainable:
                    parameter.requires_grad_(not warming_up)
                rewards, logs = 0.0, []
                with torch.inference_mode():
                    for _ in range(steps):
                        obs, reward, done, extras = env.step(algorithm.act(obs))
                        if not torch.isfinite(reward).all() or not torch.isfinite(obs["policy"]).all():
                            raise FloatingPointError("the environment returned NaN: lower the learning rate or resume")
                        algorithm.process_env_step(obs, reward, done, extras)
                        rewards += reward.mean().item() / steps
                        logs.append(extras["log"])
                    algorithm.compute_returns(obs)
                losses = algorithm.update()
                self.iteration += 1
                row = self._row(rewards, logs, losses, time.perf_counter() - start)
                self._log(writer, row)
                progress.update(task, completed=self.iteration, description=self._headline(row))
                if self.iteration % save_every == 0 or self.iteration == iterations:
                    self.save()
        writer.close()

    def _set_learning_rate(self, progress: float) -> None:
        first, last = self.config["learning_rate"]
        for group in self.algorithm.optimizer.param_groups:
            group["lr"] = first + (last - first) * progress

    def _row(
        self, reward: float, logs: list[dict[str, float]], losses: dict[str, float], seconds: float
    ) -> dict[str, float]:
        keys = sorted({key for log in logs for key in log})
        means = {key.strip("/"): sum(log.get(key, 0.0) for log in logs) / len(logs) for key in keys}
        frames = self.config["num_steps_per_env"] * self.env.num_envs
        return {
            "iteration": float(self.iteration),
            "steps": float(self.iteration * frames),
            "reward": reward,
            **means,
            "std": self.algorithm.actor.output_std.mean().item(),
            "steps_per_second": frames / seconds,
            **losses,
        }

    def _log(self, writer: SummaryWriter, row: dict[str, float]) -> None:
        path = self.folder / "losses.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            table = csv.DictWriter(file, fieldnames=list(row))
            if fresh:
                table.writeheader()
            table.writerow({key: f"{value:.6g}" for key, value in row.items()})
        for key, value in row.items():
            writer.add_scalar(key, value, int(row["iteration"]))

    @staticmethod
    def _headline(row: dict[str, float]) -> str:
        names = ("reward", "linear_error", "yaw_error", "ee_error", "std", "steps_per_second")
        return f"{row['steps'] / 1e6:.2f}M " + " ".join(f"{name} {row[name]:.3g}" for name in names if name in row)
