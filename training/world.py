"""The processes that train together: one, or as many as `torchrun` started."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch

from .structured import ConfigError


@dataclass(frozen=True)
class World:
    """This process among all; rsl_rl broadcasts the parameters and reduces the gradients between them."""

    rank: int = 0
    local_rank: int = 0
    size: int = 1

    @classmethod
    def from_environment(cls) -> World:
        """Read what torchrun set; one process without it."""
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
        return cls(*(int(os.environ.get(name, default)) for name, default in zip(names, ("0", "0", "1"), strict=True)))

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and shows the progress."""
        return self.rank == 0

    @property
    def rsl_rl(self) -> dict[str, int] | None:
        """Rsl_rl's `multi_gpu` dictionary; None for one process."""
        if self.size == 1:
            return None
        return {"global_rank": self.rank, "local_rank": self.local_rank, "world_size": self.size}

    def device(self, name: str) -> str:
        """Return the torch device of this process for `cpu`, `cuda` or `cuda:N`.

        Raises:
            ConfigError: unknown name, or no such device on this machine.
        """
        kind, _, index = name.partition(":")
        if kind not in ("cpu", "cuda") or (index and not index.isdigit()) or (kind == "cpu" and index):
            raise ConfigError(f"device: wanted cpu, cuda or cuda:N, got {name!r}")
        if kind == "cpu":
            return name
        if not torch.cuda.is_available():
            raise ConfigError(f"device={name}: torch sees no CUDA device here; device=cpu works everywhere")
        number = int(index) if index else self.local_rank
        if number >= torch.cuda.device_count():
            raise ConfigError(f"device={name}: GPU {number} wanted, this machine has {torch.cuda.device_count()}")
        return f"cuda:{number}"

    def join(self, device: str) -> None:
        """Meet the other processes (gloo between CPUs, nccl between GPUs)."""
        if device.startswith("cuda"):
            torch.cuda.set_device(device)
        if self.size > 1 and not torch.distributed.is_initialized():
            backend = "nccl" if device.startswith("cuda") else "gloo"
            torch.distributed.init_process_group(backend, rank=self.rank, world_size=self.size)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            torch.distributed.barrier()

    def leave(self) -> None:
        """Part from the other processes."""
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def any(self, flag: bool, device: str) -> bool:
        """Whether `flag` is set in any process."""
        if self.size == 1:
            return flag
        value = torch.tensor(int(flag), device=device)
        torch.distributed.all_reduce(value, op=torch.distributed.ReduceOp.MAX)
        return bool(value.item())

    def seed(self, seed: int) -> int:
        """Return this process's own seed; `seed` itself in the main process."""
        return seed if self.is_main else _derived(seed, self.rank)


def seed_everything(seed: int, iteration: int) -> None:
    """Seed torch and NumPy from both numbers, so that a run resumed at an iteration draws as the first one did."""
    torch.manual_seed(_derived(seed, iteration))
    np.random.seed(_derived(seed, iteration))


def _derived(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
