"""The environment's observation and action as a policy needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from go2_piper_description.joints import ARM_SLICE, JOINT_NAMES, LEG_SLICE
from moe_controller.contract import ContractError
from moe_controller.observation import ObservationBuilder

from ..envs.config import EnvConfig
from ..models.onnx_file import OnnxFile
from ..models.policy import FixedWeights, Policy, TorchPolicy
from .settings import EvaluationError


def check_layout(policy: Policy) -> None:
    """Refuse a policy that this environment does not suit. Raises EvaluationError."""
    with_layout(EnvConfig(), policy)


def with_layout(config: EnvConfig, policy: Policy) -> EnvConfig:
    """Return the environment with the policy's observation terms, action scale and action limit.

    All terms, those of its router too, come in the group `policy`: policies take their columns from there.

    Raises:
        EvaluationError: this environment cannot give or take them; one line.
    """
    try:
        ObservationBuilder(policy.observation)
    except ContractError as error:
        raise EvaluationError(f"{policy.name} does not suit this environment: {error}") from error
    source = policy
    while isinstance(source, FixedWeights):
        source = source.policy
    if isinstance(source, TorchPolicy):
        if source.card.joint_names != JOINT_NAMES:
            raise EvaluationError(f"{policy.name} is for other joints: {', '.join(source.card.joint_names)}")
        scale, clip = source.card.action_scale, source.card.action_clip
    elif isinstance(source, OnnxFile):
        try:
            source.contract.check_robot()
        except ContractError as error:
            raise EvaluationError(f"{policy.name}: {error}") from error
        scale, clip = source.contract.action_scale, source.contract.action_clip
    else:
        return replace(config, observation=policy.observation, router_observation=())
    legs, arm = _scales(scale, policy.name)
    return replace(
        config,
        observation=policy.observation,
        router_observation=(),
        leg_action_scale=legs,
        arm_action_scale=arm,
        action_clip=clip,
    )


def _scales(scale: Sequence[float], name: str) -> tuple[float, float]:
    values = np.asarray(scale)
    if values.shape != (len(JOINT_NAMES),) or np.ptp(values[LEG_SLICE]) > 1e-9 or np.ptp(values[ARM_SLICE]) > 1e-9:
        raise EvaluationError(f"{name} has action scales {list(scale)}: one for all legs and one for the arm is wanted")
    return float(values[LEG_SLICE][0]), float(values[ARM_SLICE][0])
