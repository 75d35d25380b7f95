"""Stop at the first number that is not finite, and leave what one needs to find out why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

DUMP = "nan_dump.npz"
MODEL = "nan_model.pt"
HINT = "go on from the last checkpoint with the same command and a lower runner.learning_rate or a smaller std"


class TrainingDiverged(RuntimeError):
    """Numbers that are not finite; one line that says where, and what to do."""


class NanGuard:
    """Checks every step of a rollout and every update.

    Args:
        folder: for the dump.
        models: written into the dump, by name.
    """

    def __init__(self, folder: Path, models: Mapping[str, nn.Module]) -> None:
        self._folder, self._models = folder, models

    def check_actions(self, obs: Mapping[str, torch.Tensor], actions: torch.Tensor, iteration: int) -> None:
        """Check what the policy gives before the simulator gets it. Raises TrainingDiverged."""
        if not torch.isfinite(actions).all():
            self._stop("actions", _rows(actions), iteration, {**obs, "actions": actions})

    def check_step(
        self, obs: Mapping[str, torch.Tensor], actions: torch.Tensor, rewards: torch.Tensor, iteration: int
    ) -> None:
        """Check what the environment returns. Raises TrainingDiverged."""
        for name, value in (*obs.items(), ("rewards", rewards)):
            if not torch.isfinite(value).all():
                self._stop(name, _rows(value), iteration, {**obs, "actions": actions, "rewards": rewards})

    def check_update(self, losses: Mapping[str, float], iteration: int) -> None:
        """Check the losses and the parameters after an update. Raises TrainingDiverged."""
        bad = [f"loss {name}" for name, value in losses.items() if not np.isfinite(value)]
        for title, model in self._models.items():
            state = model.state_dict().items()
            bad += [f"{title} {k}" for k, v in state if v.is_floating_point() and not torch.isfinite(v).all()]
        if bad:
            self._stop(", ".join(bad[:4]), np.array([], dtype=np.int64), iteration, {})

    def _stop(self, what: str, rows: np.ndarray, iteration: int, arrays: Mapping[str, torch.Tensor]) -> None:
        plain = {name: value.detach().cpu().numpy() for name, value in arrays.items()}
        plain |= {"iteration": np.array(iteration), "what": np.array(what), "environments": rows}
        np.savez_compressed(self._folder / DUMP, **plain)  # type: ignore[arg-type]  # its flag is no array
        torch.save({name: model.state_dict() for name, model in self._models.items()}, self._folder / MODEL)
        where = f" of {rows.size} environments (first {rows[0]})" if rows.size else ""
        raise TrainingDiverged(
            f"numbers that are not finite in {what}{where} at iteration {iteration}; "
            f"dump in {self._folder / DUMP}; {HINT}"
        )


def _rows(value: torch.Tensor) -> np.ndarray:
    bad = ~torch.isfinite(value)
    return torch.nonzero(bad.reshape(len(bad), -1).any(dim=1)).flatten().cpu().numpy()
