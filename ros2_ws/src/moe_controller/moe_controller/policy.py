"""The ONNX policy: load, check against its contract, run. ROS-free and torch-free."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from go2_piper_description.joints import NUM_JOINTS
from numpy.typing import NDArray

from .contract import (
    ACTION_OUTPUT,
    EXPERT_ACTIONS_OUTPUT,
    OBSERVATION_INPUT,
    WEIGHTS_OUTPUT,
    Contract,
    ContractError,
)

Array = NDArray[np.float64]

LARGEST_FILE = 512 * 1024 * 1024
"""bytes; a policy has a few MB, so something larger is the wrong file and not worth the memory."""


class PolicyError(ValueError):
    """A policy file cannot be used; one line: what, where, what to do."""


class PolicyFault(RuntimeError):
    """The policy gave something that must not reach a robot."""


@dataclass(frozen=True)
class PolicyOutput:
    """What one inference gives."""

    action: Array
    """Raw action, before clip and scale, shape (18,), canonical order."""
    weights: Array
    """Weight of each expert in each joint group, shape (groups, experts); rows sum to 1."""
    expert_actions: Array
    """What each expert alone would do, raw, shape (experts, 18)."""


class OnnxPolicy:
    """A policy file, loaded and checked."""

    def __init__(self, path: str | Path, providers: Sequence[str] = ("CPUExecutionProvider",)) -> None:
        """Load a policy.

        Args:
            path: ONNX file that this project's training exported.
            providers: onnxruntime execution providers, preferred first.

        Raises:
            PolicyError: the file is missing, corrupt or not a policy of this project.
        """
        self.path = Path(path)
        self._session = self._load(providers)
        try:
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.contract = Contract.from_metadata(metadata)
        except ContractError as error:
            raise PolicyError(f"policy {self.path}: {error}") from error
        self._check_shapes()
        self._outputs = [ACTION_OUTPUT, WEIGHTS_OUTPUT, EXPERT_ACTIONS_OUTPUT]
        self._input: NDArray[np.float32] = np.zeros((1, self.contract.observation_size), np.float32)

    def _load(self, providers: Sequence[str]) -> onnxruntime.InferenceSession:
        try:
            size = self.path.stat().st_size
            if not self.path.is_file():
                raise PolicyError(f"policy {self.path} is not a file: pass the path of an .onnx file")
            if not 0 < size <= LARGEST_FILE:
                raise PolicyError(f"policy {self.path} has {size} bytes, which no policy has: export it again")
            data = self.path.read_bytes()
            self.sha256 = hashlib.sha256(data).hexdigest()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise PolicyError(f"policy {self.path} cannot be read ({reason}): check the path") from error
        missing = [name for name in providers if name not in onnxruntime.get_available_providers()]
        if missing:
            raise PolicyError(f"policy {self.path}: onnxruntime has no {', '.join(missing)}: install it or use the CPU")
        options = onnxruntime.SessionOptions()
        # one small network on one core: threads would only add jitter beside the simulator
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4  # a refusal is one line of ours, not one of onnxruntime's as well
        try:
            return onnxruntime.InferenceSession(data, options, providers=list(providers))
        except Exception as error:  # onnxruntime's exceptions have no common base but this
            raise PolicyError(
                f"policy {self.path} is not a usable ONNX file ({_one_line(error)}): export it again"
            ) from error

    def _check_shapes(self) -> None:
        contract = self.contract
        experts = len(contract.experts)
        wanted = {
            OBSERVATION_INPUT: [1, contract.observation_size],
            ACTION_OUTPUT: [1, NUM_JOINTS],
            WEIGHTS_OUTPUT: [1, len(contract.groups), experts],
            EXPERT_ACTIONS_OUTPUT: [1, experts, NUM_JOINTS],
        }
        inputs = {node.name: node for node in self._session.get_inputs()}
        found = {**inputs, **{node.name: node for node in self._session.get_outputs()}}
        problems = []
        if set(inputs) != {OBSERVATION_INPUT}:
            problems.append(f"inputs are {sorted(inputs)}, not ['{OBSERVATION_INPUT}']")
        for name, shape in wanted.items():
            if name not in found:
                problems.append(f"'{name}' is missing")
            elif not _same_shape(found[name].shape, shape) or found[name].type != "tensor(float)":
                problems.append(f"'{name}' is {found[name].type} {found[name].shape}, not tensor(float) {shape}")
        if problems:
            raise PolicyError(
                f"policy {self.path}: graph and contract disagree: {'; '.join(problems)}: export it again"
            )

    def identity(self) -> dict[str, str]:
        """Return what has to be the same for the same numbers: hash of the file, and runtime."""
        return {"model_sha256": self.sha256, "runtime": f"onnxruntime {onnxruntime.__version__}"}

    def warm_up(self, count: int = 20) -> None:
        """Run some inferences so that the first real one is not slow. Raises PolicyFault as `act` does."""
        for _ in range(count):
            self.act(np.zeros(self.contract.observation_size, np.float32))

    def act(self, observation: NDArray[np.float32]) -> PolicyOutput:
        """Run one inference.

        Args:
            observation: shape (observation size,), before the policy's own normaliser.

        Raises:
            PolicyFault: the inference failed or gave NaN or infinity.
        """
        self._input[0] = observation
        try:
            outputs = self._session.run(self._outputs, {OBSERVATION_INPUT: self._input})
        except Exception as error:  # as above: no common base
            raise PolicyFault(f"policy {self.path.name}: inference failed ({_one_line(error)})") from error
        action, weights, expert_actions = (np.asarray(output[0], np.float64) for output in outputs)
        for name, values in zip(self._outputs, (action, weights, expert_actions), strict=True):
            if not np.all(np.isfinite(values)):
                seen = "finite" if np.all(np.isfinite(observation)) else "not finite either"
                raise PolicyFault(f"policy {self.path.name}: output '{name}' is not finite (observation: {seen})")
        return PolicyOutput(action, weights, expert_actions)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _same_shape(found: Sequence[object], wanted: Sequence[int]) -> bool:
    """Compare shapes; a free (named or unknown) dimension of the file fits any size."""
    return len(found) == len(wanted) and all(
        not isinstance(size, int) or size == want for size, want in zip(found, wanted, strict=True)
    )
