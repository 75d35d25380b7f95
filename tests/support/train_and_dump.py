"""`training.train`, after which each process leaves its parameters and observations: run it with torchrun."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from training.runner import Runner
from training.train import main

_train = Runner.train


def _train_and_dump(self: Runner, iterations: int) -> None:
    _train(self, iterations)
    state = {
        **{f"actor.{key}": value for key, value in self.algorithm.actor.state_dict().items()},
        **{f"critic.{key}": value for key, value in self.algorithm.critic.state_dict().items()},
    }
    seen = self.env.get_observations()["policy"].clone()
    torch.save({"state": state, "observation": seen}, Path(f"rank_{self.world.rank}.pt"))


Runner.train = _train_and_dump  # type: ignore[method-assign]
sys.exit(main())
