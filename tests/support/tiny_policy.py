"""A tiny policy file for tests: a valid contract and a constant action, milliseconds to write and run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from go2_piper_description.joints import NUM_JOINTS
from moe_controller.contract import (
    ACTION_OUTPUT,
    EXPERT_ACTIONS_OUTPUT,
    OBSERVATION_INPUT,
    WEIGHTS_OUTPUT,
    Contract,
    VelocityLimits,
)
from moe_controller.observation import DEFAULT_TERMS
from onnx import TensorProto, helper, numpy_helper

TINY_CONTRACT = Contract(
    observation=DEFAULT_TERMS,
    experts=("base", "arm"),
    groups=("legs", "arm"),
    action_scale=(0.25,) * 12 + (0.5,) * 6,
    velocity_limits=VelocityLimits(acceleration=(900.0, 900.0, 900.0)),
    training={"note": "tiny policy of the tests"},
)
"""The contract of the shipped policies: the same observation, two experts, two groups.

But its velocity command may jump, so that a test of what is commanded takes one step.
"""


def tiny_contract(**changes: object) -> Contract:
    """Return `TINY_CONTRACT` with some entries changed."""
    return replace(TINY_CONTRACT, **changes)  # type: ignore[arg-type]


def write_tiny_policy(
    path: Path,
    action: float | Sequence[float] = 0.0,
    contract: Contract | None = None,
    *,
    metadata: Mapping[str, str] | None = None,
) -> Contract:
    """Write an ONNX policy whose raw action is constant and whose experts have equal weights.

    A non-finite observation gives a non-finite action, so that faults can be tested too.

    Args:
        path: file to write.
        action: raw action, one number or shape (18,); 0 keeps the robot's stand pose.
        contract: what the file promises; the graph's shapes follow it. None takes `TINY_CONTRACT`.
        metadata: written instead of the contract's metadata, to test corrupt files.

    Returns:
        The contract that was written.
    """
    contract = contract or TINY_CONTRACT
    groups, experts, size = len(contract.groups), len(contract.experts), contract.observation_size
    constant = np.broadcast_to(np.asarray(action, np.float32), (1, NUM_JOINTS))
    constants: dict[str, np.ndarray] = {
        "zeros": np.zeros((size, NUM_JOINTS), np.float32),
        "bias": np.ascontiguousarray(constant),
        "weights": np.full((1, groups, experts), 1.0 / experts, np.float32),
        "axis": np.array([1], np.int64),
        "shape": np.array([1, experts, NUM_JOINTS], np.int64),
    }
    nodes = [
        helper.make_node("MatMul", [OBSERVATION_INPUT, "zeros"], ["product"]),
        helper.make_node("Add", ["product", "bias"], [ACTION_OUTPUT]),
        helper.make_node("Identity", ["weights"], [WEIGHTS_OUTPUT]),
        helper.make_node("Unsqueeze", [ACTION_OUTPUT, "axis"], ["one_expert"]),
        helper.make_node("Expand", ["one_expert", "shape"], [EXPERT_ACTIONS_OUTPUT]),
    ]
    outputs: list[tuple[str, list[int]]] = [
        (ACTION_OUTPUT, [1, NUM_JOINTS]),
        (WEIGHTS_OUTPUT, [1, groups, experts]),
        (EXPERT_ACTIONS_OUTPUT, [1, experts, NUM_JOINTS]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny_policy",
        [helper.make_tensor_value_info(OBSERVATION_INPUT, TensorProto.FLOAT, [1, size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        initializer=[numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    # versions that every onnxruntime of the supported range reads
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(contract.to_metadata() if metadata is None else metadata))
    onnx.checker.check_model(model)
    Path(path).write_bytes(model.SerializeToString())
    return contract
