"""Environment steps per second: raw `mujoco.batch` (the limit), our environment, and the whole PPO loop."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from go2_piper_description.joints import NUM_JOINTS, joint_array
from mujoco.batch import Batch

from training.envs.config import EnvConfig, Randomization
from training.envs.go2_piper_env import Go2PiperEnv
from training.envs.physics import training_model

STEPS_PER_ITERATION = 24
STEP_CHOICES = ((0.01, 2), (0.005, 4))
"""s per physics step and steps per control period: as in training, and as in the evaluation."""


@dataclass(frozen=True)
class Size:
    """How much is run."""

    envs: int = 512
    seconds: float = 8.0
    """Per rate without learning."""
    iterations: int = 8
    """Of PPO; the first does not count."""


def rate(step: Callable[[], object], size: Size) -> float:
    """Return environment steps per second of a step of all environments."""
    step()
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < size.seconds:
        step()
        count += 1
    return count * size.envs / (time.perf_counter() - start)


def raw_batch(size: Size, threads: int, timestep: float, substeps: int) -> Callable[[], None]:
    """Return a step of MuJoCo alone: nothing but random targets near the stand pose."""
    model = training_model(timestep)
    batch = Batch(model, size.envs, threads)
    batch.reset(keyframe=model.key("stand").id)
    control, rng, pose = batch.bind("ctrl"), np.random.default_rng(0), joint_array("stand")

    def step() -> None:
        control[:] = pose + rng.normal(0.0, 0.05, (size.envs, NUM_JOINTS))
        batch.step(nstep=substeps)

    return step


def _env(size: Size, threads: int, timestep: float, randomization: Randomization) -> Callable[[], object]:
    config = EnvConfig(num_envs=size.envs, num_threads=threads, physics_timestep=timestep, randomization=randomization)
    env, generator = Go2PiperEnv(config), torch.Generator().manual_seed(0)
    return lambda: env.step(0.2 * torch.randn(size.envs, NUM_JOINTS, generator=generator))


def _ppo(size: Size, processes: int, threads: int) -> float:
    """Run the training command itself and return the steps per second of all processes together."""
    start = ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m"] if processes > 1 else []
    with tempfile.TemporaryDirectory() as folder:
        steps = size.iterations * STEPS_PER_ITERATION * size.envs
        command = [
            *(sys.executable, "-m", *start, "training.train", "env=combo_go2Piper_locomotion"),
            *(f"env.num_envs={size.envs // processes}", f"threads={threads}", f"million_steps={steps / 1e6}"),
            # what happens once, or only at the beginning, is no part of the loop
            *("runner.clone_steps=0", "runner.critic_warm_up=0"),
            *(f"runner.num_steps_per_env={STEPS_PER_ITERATION}", f"hydra.run.dir={folder}"),
        ]
        result = subprocess.run(
            command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
        )
        losses = Path(folder) / "losses.csv"
        if result.returncode or not losses.is_file():
            raise RuntimeError(f"{' '.join(command)} failed: {result.stderr.strip()[-300:]}")
        with losses.open() as file:
            rates = [float(row["steps_per_second"]) for row in csv.DictReader(file)]
    return float(np.median(rates[1:]))


def run(size: Size | None = None) -> list[str]:
    """Return the lines of the report."""
    torch.set_num_threads(1)
    size, threads = size or Size(), len(os.sched_getaffinity(0))
    (coarse, _), (fine, _) = STEP_CHOICES
    raw = {step: rate(raw_batch(size, threads, step, substeps), size) for step, substeps in STEP_CHOICES}
    rows = [(f"raw mujoco.batch, {1000 * step:g} ms x {n} (limit)", raw[step], step) for step, n in STEP_CHOICES]
    rows += [
        ("our environment, 10 ms, nominal", rate(_env(size, threads, coarse, Randomization.none()), size), coarse),
        ("our environment, 10 ms, as in training", rate(_env(size, threads, coarse, Randomization()), size), coarse),
        ("our environment, 5 ms, nominal", rate(_env(size, threads, fine, Randomization.none()), size), fine),
        (f"whole PPO loop, 1 process x {threads} threads", _ppo(size, 1, threads), coarse),
    ]
    if threads > 1:
        rows.append((f"whole PPO loop, {threads} processes x 1 thread", _ppo(size, threads, 1), coarse))
    title = f"environment steps/s, {size.envs} environments, {threads} threads, networks 256-128-64:"
    return [
        title,
        *(f"  {name:44} {rate:8.0f}  ({rate / raw[step]:.0%} of the limit at its step)" for name, rate, step in rows),
    ]
