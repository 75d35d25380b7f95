"""An exported policy as a `Policy`: the deployed file itself, for batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from moe_controller.contract import ACTION_OUTPUT, EXPERT_ACTIONS_OUTPUT, OBSERVATION_INPUT, WEIGHTS_OUTPUT
from moe_controller.policy import OnnxPolicy, PolicyError

from ..checkpoint import CheckpointError
from .policy import Policy, PolicyOutputs, flat_observation
from .routers import Observations


class OnnxFile(Policy):
    """A policy file, checked as the controller checks it.

    Args:
        path: an ONNX file that `training.export` wrote.
        name: instead of the file's own.

    Raises:
        CheckpointError: missing, damaged or foreign file; one line.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        try:
            self.contract = OnnxPolicy(path).contract
        except PolicyError as error:
            raise CheckpointError(str(error)) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._batched = not isinstance(self._session.get_inputs()[0].shape[0], int)
        self.name = name or path.stem
        self.experts, self.groups = self.contract.experts, self.contract.groups
        self.observation = self.contract.observation

    def run(self, obs: Observations) -> PolicyOutputs:
        """Return action, weights and expert actions."""
        observation = flat_observation(obs, self.observation).cpu().numpy()
        rows = [observation] if self._batched else np.split(observation, len(observation))
        names = [ACTION_OUTPUT, WEIGHTS_OUTPUT, EXPERT_ACTIONS_OUTPUT]
        outputs = [self._session.run(names, {OBSERVATION_INPUT: row}) for row in rows]
        return PolicyOutputs(*(torch.from_numpy(np.concatenate(parts)) for parts in zip(*outputs, strict=True)))
