"""How expert actions become one: a = sum_i w_i a_i, with one set of weights or one for legs and one for the arm."""

from __future__ import annotations

import torch
from go2_piper_description.joints import LEG_JOINTS

JOINT_GROUPS: dict[int, tuple[str, ...]] = {1: ("all",), 2: ("legs", "arm")}
"""Names of the joint groups by their number."""


def blend(weights: torch.Tensor, expert_actions: torch.Tensor) -> torch.Tensor:
    """Return sum_i w_i a_i, (N, 18).

    Args:
        weights: (N, G, E); G is 1 (all joints) or 2 (legs, arm).
        expert_actions: (N, E, 18).
    """
    if weights.shape[1] == 1:
        per_joint = weights.expand(-1, expert_actions.shape[-1], -1)
    else:
        legs = len(LEG_JOINTS)
        arm = expert_actions.shape[-1] - legs
        per_joint = torch.cat([weights[:, :1].expand(-1, legs, -1), weights[:, 1:].expand(-1, arm, -1)], dim=1)
    return (per_joint.transpose(1, 2) * expert_actions).sum(dim=1)
