"""Environment steps per second of the AMP training beside raw `mujoco.batch`, and what the loop spends its time on."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.amp.config import AmpConfig
from training.amp.data.gait_clips import gait_clips
from training.amp.motion import join, save_motion
from training.amp.robot import robot_config
from training.amp.train import AmpTrainer

from .environment import Size, rate, raw_batch

ROUNDS = 12
"""Iterations that count, after the one that compiles; raw stepping between them, as the machine's speed changes."""
RAW_SECONDS = 1.5
"""s of raw stepping before each."""


def run(size: Size | None = None) -> list[str]:
    """Return the lines of the report."""
    size, threads = size or Size(envs=AmpConfig().num_envs), len(os.sched_getaffinity(0))
    config = replace(AmpConfig(), num_envs=size.envs, groups=threads, threads=threads)
    robot = robot_config(config.env_id)
    raw, burst = raw_batch(size, threads, robot.physics_timestep, robot.substeps), replace(size, seconds=RAW_SECONDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_motion(folder / "clips.npz", join(gait_clips()))
        trainer = AmpTrainer(config, folder / "run", folder / "clips.npz", seed=1)
        trainer.iterate()
        rows, limits, seconds, processor = list[dict[str, float]](), list[float](), 0.0, 0.0
        for _ in range(ROUNDS):
            limits.append(rate(raw, burst))
            started, used = time.perf_counter(), time.process_time()
            rows.append(trainer.iterate())
            seconds, processor = seconds + time.perf_counter() - started, processor + time.process_time() - used
    limit, whole = float(np.mean(limits)), ROUNDS * config.frames / seconds
    rollout = float(np.mean([row["rollout_share"] for row in rows]))
    return [
        f"AMP + PPO in JAX, {size.envs} robots, {threads} threads, {1000 * robot.physics_timestep:g} ms physics:",
        f"  raw mujoco.batch (limit)                     {limit:8.0f} environment steps/s",
        f"  whole loop                                   {whole:8.0f}  ({whole / limit:.0%} of the limit)",
        f"  of it simulation and policy {rollout:.0%}, update, replay and normalisers {1.0 - rollout:.0%}; "
        f"{1e6 * processor / (ROUNDS * config.frames):.0f} us of processor time per step",
    ]
