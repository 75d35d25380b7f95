"""Environment steps per second: raw `mujoco.batch` (the limit), our environment, and the whole PPO loop."""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from go2_piper_description.joints import NUM_JOINTS, joint_array
from mujoco.batch import Batch

from training.envs.config import EnvConfig, Randomization
from training.envs.go2_piper_env import Go2PiperEnv, training_model
from training.runner import Runner
from training.stages import STAGES

NUM_ENVS = 256
SUBSTEPS = 4


def _rate(step: Callable[[], object], seconds: float = 8.0) -> float:
    step()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        count += 1
    return count * NUM_ENVS / (time.perf_counter() - start)


def _raw_batch(threads: int) -> Callable[[], None]:
    model = training_model()
    batch = Batch(model, NUM_ENVS, threads)
    batch.reset(keyframe=model.key("stand").id)
    control, rng, pose = batch.bind("ctrl"), np.random.default_rng(0), joint_array("stand")

    def step() -> None:
        control[:] = pose + rng.normal(0.0, 0.05, (NUM_ENVS, NUM_JOINTS))
        batch.step(nstep=SUBSTEPS)

    return step


def _env(threads: int, randomization: Randomization) -> Callable[[], object]:
    env = Go2PiperEnv(EnvConfig(NUM_ENVS, randomization=randomization, num_threads=threads))
    generator = torch.Generator().manual_seed(0)
    return lambda: env.step(0.2 * torch.randn(NUM_ENVS, NUM_JOINTS, generator=generator))


def _ppo(threads: int) -> float:
    stage = replace(STAGES["base"], num_envs=NUM_ENVS)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(Go2PiperEnv(stage.env_config(1, threads)), stage.runner_config(), Path(folder))
        runner.train(6)
        with (Path(folder) / "losses.csv").open() as file:
            rates = [float(row["steps_per_second"]) for row in csv.DictReader(file)]
    return float(np.median(rates[1:]))


def run() -> list[str]:
    """Return the lines of the report."""
    torch.set_num_threads(1)
    threads = len(os.sched_getaffinity(0))
    raw = _rate(_raw_batch(threads))
    nominal = _rate(_env(threads, Randomization.none()))
    randomized = _rate(_env(threads, Randomization()))
    ppo = _ppo(threads)
    return [
        f"environment steps/s, {NUM_ENVS} environments, {threads} threads:",
        f"  raw mujoco.batch (limit)             {raw:8.0f}",
        f"  our environment, nominal             {nominal:8.0f}  ({nominal / raw:.0%} of the limit)",
        f"  our environment, randomised          {randomized:8.0f}  ({randomized / raw:.0%})",
        f"  whole PPO loop (256-128-64 networks) {ppo:8.0f}  ({ppo / raw:.0%})",
    ]
