"""Two processes train one expert: equal parameters, environments of their own, files from the main one only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from training.run_log import last_rows

SCRIPT = Path(__file__).parents[1] / "support" / "train_and_dump.py"
ROOT = Path(__file__).parents[2]


def test_two_processes_share_parameters(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(SCRIPT)),
        *("env=combo_go2Piper_locomotion", "env.num_envs=4", "runner.num_steps_per_env=4", "million_steps=64e-6"),
        *("runner.clone_steps=0", "runner.critic_warm_up=0", "runner.algorithm.num_mini_batches=2"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank_{rank}.pt", weights_only=True) for rank in (0, 1))
    for key, value in first["state"].items():
        assert torch.equal(value, second["state"][key]), key
    assert not torch.equal(first["observation"], second["observation"])
    folder = tmp_path / "runs" / "combo_go2Piper_locomotion" / "seed_1"
    rows = last_rows(folder / "losses.csv", 9)
    assert [row["steps"] for row in rows] == [32, 64]  # of both processes; written once
    assert done.stdout.count("training finished") == 1
